// What a relay does not answer itself: Tracking, Query and Ingest.Write go to
// the server upstream as they came, and its answers back. While it is away they
// are UNAVAILABLE, with a text that says so. Deadlines and cancellation travel
// on.
#ifndef WATERFLOW_SERVER_RELAY_PASS_THROUGH_H_
#define WATERFLOW_SERVER_RELAY_PASS_THROUGH_H_

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "server/ingest_loop.h"
#include "waterflow/v1/ingest.grpc.pb.h"
#include "waterflow/v1/query.grpc.pb.h"
#include "waterflow/v1/tracking.grpc.pb.h"

namespace waterflow::server {

// The server upstream: its address and the connection to it.
struct Upstream {
  std::string address;
  std::shared_ptr<grpc::Channel> channel;
};

class TrackingPassThrough final : public v1::Tracking::Service {
 public:
  explicit TrackingPassThrough(const Upstream& upstream)
      : address_(upstream.address),
        stub_(v1::Tracking::NewStub(upstream.channel)) {}

  grpc::Status CreateProject(grpc::ServerContext* context,
                             const v1::CreateProjectRequest* request,
                             v1::CreateProjectResponse* response) override;
  grpc::Status GetProject(grpc::ServerContext* context,
                          const v1::GetProjectRequest* request,
                          v1::GetProjectResponse* response) override;
  grpc::Status ListProjects(grpc::ServerContext* context,
                            const v1::ListProjectsRequest* request,
                            v1::ListProjectsResponse* response) override;
  grpc::Status UpdateProject(grpc::ServerContext* context,
                             const v1::UpdateProjectRequest* request,
                             v1::UpdateProjectResponse* response) override;
  grpc::Status DeleteProject(grpc::ServerContext* context,
                             const v1::DeleteProjectRequest* request,
                             v1::DeleteProjectResponse* response) override;
  grpc::Status CreateRun(grpc::ServerContext* context,
                         const v1::CreateRunRequest* request,
                         v1::CreateRunResponse* response) override;
  grpc::Status GetRun(grpc::ServerContext* context,
                      const v1::GetRunRequest* request,
                      v1::GetRunResponse* response) override;
  grpc::Status ListRuns(grpc::ServerContext* context,
                        const v1::ListRunsRequest* request,
                        v1::ListRunsResponse* response) override;
  grpc::Status SearchRuns(grpc::ServerContext* context,
                          const v1::SearchRunsRequest* request,
                          v1::SearchRunsResponse* response) override;
  grpc::Status UpdateRun(grpc::ServerContext* context,
                         const v1::UpdateRunRequest* request,
                         v1::UpdateRunResponse* response) override;
  grpc::Status DeleteRun(grpc::ServerContext* context,
                         const v1::DeleteRunRequest* request,
                         v1::DeleteRunResponse* response) override;

 private:
  const std::string address_;
  const std::unique_ptr<v1::Tracking::StubInterface> stub_;
};

class QueryPassThrough final : public v1::Query::Service {
 public:
  explicit QueryPassThrough(const Upstream& upstream)
      : address_(upstream.address),
        stub_(v1::Query::NewStub(upstream.channel)) {}

  grpc::Status Read(grpc::ServerContext* context,
                    const v1::ReadRequest* request,
                    grpc::ServerWriter<v1::ReadResponse>* out) override;
  grpc::Status ListMetrics(grpc::ServerContext* context,
                           const v1::ListMetricsRequest* request,
                           v1::ListMetricsResponse* response) override;
  grpc::Status ListWorkers(grpc::ServerContext* context,
                           const v1::ListWorkersRequest* request,
                           v1::ListWorkersResponse* response) override;
  grpc::Status LastValues(grpc::ServerContext* context,
                          const v1::LastValuesRequest* request,
                          v1::LastValuesResponse* response) override;
  grpc::Status RunTable(grpc::ServerContext* context,
                        const v1::RunTableRequest* request,
                        grpc::ServerWriter<v1::RunTableResponse>* out) override;
  grpc::Status Bands(grpc::ServerContext* context,
                     const v1::BandsRequest* request,
                     grpc::ServerWriter<v1::BandsResponse>* out) override;
  grpc::Status RankWorkers(grpc::ServerContext* context,
                           const v1::RankWorkersRequest* request,
                           v1::RankWorkersResponse* response) override;
  grpc::Status Stragglers(grpc::ServerContext* context,
                          const v1::StragglersRequest* request,
                          v1::StragglersResponse* response) override;
  grpc::Status Missing(grpc::ServerContext* context,
                       const v1::MissingRequest* request,
                       v1::MissingResponse* response) override;
  grpc::Status Tail(grpc::ServerContext* context,
                    const v1::TailRequest* request,
                    grpc::ServerWriter<v1::TailResponse>* out) override;

 private:
  const std::string address_;
  const std::unique_ptr<v1::Query::StubInterface> stub_;
};

// Ingest.Write alone: streams are the relay's own.
class WritePassThrough final : public StreamService {
 public:
  explicit WritePassThrough(const Upstream& upstream)
      : address_(upstream.address),
        stub_(v1::Ingest::NewStub(upstream.channel)) {}

  grpc::Status Write(grpc::ServerContext* context,
                     const v1::WriteRequest* request,
                     v1::WriteResponse* response) override;

 private:
  const std::string address_;
  const std::unique_ptr<v1::Ingest::StubInterface> stub_;
};

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_RELAY_PASS_THROUGH_H_
