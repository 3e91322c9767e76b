// Values out: a range read as a stream of parts.
#ifndef WATERFLOW_CLIENT_CPP_READER_H_
#define WATERFLOW_CLIENT_CPP_READER_H_

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpcpp/channel.h"
#include "waterflow/v1/query.grpc.pb.h"

namespace waterflow::client {

class Reader {
 public:
  // Takes the parts of an answer one after the other.
  using PartSink = std::function<void(const v1::SeriesPart&)>;

  explicit Reader(std::shared_ptr<grpc::Channel> channel);

  // DATA_LOSS also when the answer ended without its summary.
  absl::StatusOr<v1::ReadSummary> Read(const v1::ReadRequest& request,
                                       const PartSink& sink);

 private:
  std::unique_ptr<v1::Query::Stub> stub_;
};

}  // namespace waterflow::client

#endif  // WATERFLOW_CLIENT_CPP_READER_H_
