// The server's services, as the subcommands call them.
#ifndef WATERFLOW_CLIENT_CLI_API_H_
#define WATERFLOW_CLIENT_CLI_API_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cpp/reader.h"
#include "client/cpp/status.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "waterflow/v1/admin.grpc.pb.h"
#include "waterflow/v1/query.grpc.pb.h"
#include "waterflow/v1/tracking.grpc.pb.h"

namespace waterflow::cli {

struct Api {
  explicit Api(const std::string& server);

  // HOST:PORT, for messages.
  const std::string server;
  const std::shared_ptr<grpc::Channel> channel;
  const std::unique_ptr<v1::Tracking::Stub> tracking;
  const std::unique_ptr<v1::Query::Stub> query;
  const std::unique_ptr<v1::Admin::Stub> admin;
  client::Reader reader;
};

// One unary call: Call(*api.tracking, &v1::Tracking::Stub::GetRun, request).
template <typename Service, typename Request, typename Response>
absl::StatusOr<Response> Call(
    Service& service,
    grpc::Status (Service::*method)(grpc::ClientContext*, const Request&,
                                    Response*),
    const Request& request) {
  grpc::ClientContext context;
  Response response;
  absl::Status status =
      client::FromGrpc((service.*method)(&context, request, &response));
  if (!status.ok()) return status;
  return response;
}

// All runs, newest first; an empty project means all projects.
absl::StatusOr<std::vector<v1::Run>> AllRuns(Api& api,
                                             const std::string& project);

// What ListMetrics answers, page after page, up to `limit` metrics and folders
// (0: all).
absl::StatusOr<v1::ListMetricsResponse> AllMetrics(
    Api& api, v1::ListMetricsRequest request, uint32_t limit = 0);
absl::StatusOr<v1::ListMetricsResponse> AllMetrics(Api& api,
                                                   const std::string& run_id);

}  // namespace waterflow::cli

#endif  // WATERFLOW_CLIENT_CLI_API_H_
