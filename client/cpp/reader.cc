#include "client/cpp/reader.h"

#include <optional>
#include <utility>

#include "client/cpp/status.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"

namespace waterflow::client {

Reader::Reader(std::shared_ptr<grpc::Channel> channel)
    : stub_(v1::Query::NewStub(channel)) {}

absl::StatusOr<v1::ReadSummary> Reader::Read(const v1::ReadRequest& request,
                                             const PartSink& sink) {
  grpc::ClientContext context;
  auto call = stub_->Read(&context, request);
  std::optional<v1::ReadSummary> summary;
  v1::ReadResponse response;
  while (call->Read(&response)) {
    for (const v1::SeriesPart& part : response.parts()) sink(part);
    if (response.has_summary())
      summary = std::move(*response.mutable_summary());
  }
  if (absl::Status status = FromGrpc(call->Finish()); !status.ok()) {
    return status;
  }
  if (!summary) {
    return absl::DataLossError("the answer ended without its summary");
  }
  return *std::move(summary);
}

}  // namespace waterflow::client
