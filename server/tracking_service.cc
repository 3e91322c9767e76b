#include "server/tracking_service.h"

#include <utility>

#include "server/client_left.h"
#include "server/convert.h"
#include "storage/model/limits.h"

namespace waterflow::server {
namespace {

constexpr size_t kMaxResponseBytes = size_t{3} << 20;

}  // namespace

grpc::Status TrackingService::CreateProject(
    grpc::ServerContext*, const v1::CreateProjectRequest* request,
    v1::CreateProjectResponse* response) {
  const absl::StatusOr<storage::Project> project =
      engine_->CreateProject(request->name(), FromProto(request->tags()));
  if (!project.ok()) return ToGrpc(project.status());
  ToProto(*project, response->mutable_project());
  return grpc::Status::OK;
}

grpc::Status TrackingService::GetProject(grpc::ServerContext*,
                                         const v1::GetProjectRequest* request,
                                         v1::GetProjectResponse* response) {
  const absl::StatusOr<storage::Project> project =
      engine_->GetProject(request->name());
  if (!project.ok()) return ToGrpc(project.status());
  ToProto(*project, response->mutable_project());
  return grpc::Status::OK;
}

grpc::Status TrackingService::ListProjects(grpc::ServerContext*,
                                           const v1::ListProjectsRequest*,
                                           v1::ListProjectsResponse* response) {
  for (const storage::Project& project : engine_->ListProjects()) {
    ToProto(project, response->add_projects());
  }
  return grpc::Status::OK;
}

grpc::Status TrackingService::UpdateProject(
    grpc::ServerContext*, const v1::UpdateProjectRequest* request,
    v1::UpdateProjectResponse* response) {
  storage::UpdateProjectOptions change;
  if (request->has_new_name()) change.new_name = request->new_name();
  change.set_tags = FromProto(request->set_tags());
  change.remove_tags.assign(request->remove_tags().begin(),
                            request->remove_tags().end());
  if (request->has_retention_age_ns()) {
    change.retention_age_ns = request->retention_age_ns();
  }
  if (request->has_max_rows_per_second()) {
    change.max_rows_per_second = request->max_rows_per_second();
  }
  if (request->has_max_disk_bytes()) {
    change.max_disk_bytes = request->max_disk_bytes();
  }
  const absl::StatusOr<storage::Project> project =
      engine_->UpdateProject(request->name(), change);
  if (!project.ok()) return ToGrpc(project.status());
  ToProto(*project, response->mutable_project());
  return grpc::Status::OK;
}

grpc::Status TrackingService::DeleteProject(
    grpc::ServerContext*, const v1::DeleteProjectRequest* request,
    v1::DeleteProjectResponse* response) {
  const absl::StatusOr<uint64_t> runs = engine_->DeleteProject(request->name());
  if (!runs.ok()) return ToGrpc(runs.status());
  response->set_runs(*runs);
  return grpc::Status::OK;
}

grpc::Status TrackingService::CreateRun(grpc::ServerContext*,
                                        const v1::CreateRunRequest* request,
                                        v1::CreateRunResponse* response) {
  storage::CreateRunOptions options;
  if (!request->project().empty()) options.project = request->project();
  options.name = request->name();
  if (!request->run_id().empty()) {
    const absl::StatusOr<storage::Uuid> id =
        RunIdFromProto("run_id", request->run_id());
    if (!id.ok()) return ToGrpc(id.status());
    options.id = *id;
  }
  options.key = request->key();
  options.params = FromProto(request->params());
  options.tags = FromProto(request->tags());
  if (request->has_start_ns()) options.start_ns = request->start_ns();
  if (request->has_fork_from()) {
    const absl::StatusOr<storage::Uuid> parent =
        RunIdFromProto("fork_from.run_id", request->fork_from().run_id());
    if (!parent.ok()) return ToGrpc(parent.status());
    options.fork_from = {.run = *parent, .step = request->fork_from().step()};
  }
  const absl::StatusOr<std::pair<storage::Run, bool>> run =
      engine_->CreateRun(std::move(options));
  if (!run.ok()) return ToGrpc(run.status());
  ToProto(run->first, response->mutable_run());
  response->set_created(run->second);
  return grpc::Status::OK;
}

grpc::Status TrackingService::GetRun(grpc::ServerContext*,
                                     const v1::GetRunRequest* request,
                                     v1::GetRunResponse* response) {
  const absl::StatusOr<storage::Uuid> id =
      RunIdFromProto("run_id", request->run_id());
  if (!id.ok()) return ToGrpc(id.status());
  const absl::StatusOr<storage::Run> run = engine_->GetRun(*id);
  if (!run.ok()) return ToGrpc(run.status());
  ToProto(*run, response->mutable_run());
  return grpc::Status::OK;
}

grpc::Status TrackingService::ListRuns(grpc::ServerContext*,
                                       const v1::ListRunsRequest* request,
                                       v1::ListRunsResponse* response) {
  uint32_t page_size = request->page_size() == 0 ? storage::kDefaultPageSize
                                                 : request->page_size();
  while (true) {
    const absl::StatusOr<storage::RunPage> page =
        engine_->ListRuns(request->project(), page_size, request->page_token());
    if (!page.ok()) return ToGrpc(page.status());
    response->Clear();
    for (const storage::Run& run : page->runs) {
      ToProto(run, response->add_runs());
    }
    response->set_next_page_token(page->next_page_token);
    if (response->ByteSizeLong() <= kMaxResponseBytes ||
        response->runs_size() <= 1) {
      return grpc::Status::OK;
    }
    page_size = response->runs_size() / 2;
  }
}

grpc::Status TrackingService::SearchRuns(grpc::ServerContext* context,
                                         const v1::SearchRunsRequest* request,
                                         v1::SearchRunsResponse* response) {
  storage::SearchSpec spec = FromProto(*request);
  spec.cancelled = ClientLeft(context);
  while (true) {
    const absl::StatusOr<storage::SearchPage> page = engine_->SearchRuns(spec);
    if (!page.ok()) return ToGrpc(page.status());
    response->Clear();
    for (const storage::FoundRun& run : page->runs) {
      ToProto(run, response->add_runs());
    }
    response->set_next_page_token(page->next_page_token);
    if (response->ByteSizeLong() <= kMaxResponseBytes ||
        response->runs_size() <= 1) {
      return grpc::Status::OK;
    }
    spec.page_size = response->runs_size() / 2;
  }
}

grpc::Status TrackingService::UpdateRun(grpc::ServerContext*,
                                        const v1::UpdateRunRequest* request,
                                        v1::UpdateRunResponse* response) {
  const absl::StatusOr<storage::Uuid> id =
      RunIdFromProto("run_id", request->run_id());
  if (!id.ok()) return ToGrpc(id.status());
  storage::UpdateRunOptions change;
  if (request->has_status()) change.status = FromProto(request->status());
  if (request->has_end_ns()) change.end_ns = request->end_ns();
  if (request->has_name()) change.name = request->name();
  change.set_params = FromProto(request->set_params());
  change.set_tags = FromProto(request->set_tags());
  change.remove_tags.assign(request->remove_tags().begin(),
                            request->remove_tags().end());
  const absl::StatusOr<storage::Run> run = engine_->UpdateRun(*id, change);
  if (!run.ok()) return ToGrpc(run.status());
  ToProto(*run, response->mutable_run());
  return grpc::Status::OK;
}

grpc::Status TrackingService::DeleteRun(grpc::ServerContext*,
                                        const v1::DeleteRunRequest* request,
                                        v1::DeleteRunResponse*) {
  const absl::StatusOr<storage::Uuid> id =
      RunIdFromProto("run_id", request->run_id());
  if (!id.ok()) return ToGrpc(id.status());
  return ToGrpc(engine_->DeleteRun(*id));
}

}  // namespace waterflow::server
