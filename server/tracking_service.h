// waterflow.v1.Tracking: projects and runs.
#ifndef WATERFLOW_SERVER_TRACKING_SERVICE_H_
#define WATERFLOW_SERVER_TRACKING_SERVICE_H_

#include "storage/engine.h"
#include "waterflow/v1/tracking.grpc.pb.h"

namespace waterflow::server {

class TrackingService final : public v1::Tracking::Service {
 public:
  explicit TrackingService(storage::Engine* engine) : engine_(engine) {}

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
  // Answers with fewer runs than asked for when they are large: a message stays
  // below gRPC's default limit on the client's side.
  grpc::Status ListRuns(grpc::ServerContext* context,
                        const v1::ListRunsRequest* request,
                        v1::ListRunsResponse* response) override;
  // Likewise.
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
  storage::Engine* const engine_;
};

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_TRACKING_SERVICE_H_
