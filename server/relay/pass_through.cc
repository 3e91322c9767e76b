#include "server/relay/pass_through.h"

#include <grpcpp/client_context.h>

#include "absl/strings/str_cat.h"

namespace waterflow::server {
namespace {

// What the caller hears of how the upstream ended the call.
grpc::Status Told(const grpc::Status& status, const std::string& address) {
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE) return status;
  return {grpc::StatusCode::UNAVAILABLE,
          absl::StrCat("the server ", address,
                       " behind this relay does not answer (",
                       status.error_message(),
                       "); streams of known runs go on meanwhile")};
}

template <typename Stub, typename Request, typename Response>
grpc::Status Pass(const std::string& address, grpc::ServerContext* context,
                  Stub* stub,
                  grpc::Status (Stub::*method)(grpc::ClientContext*,
                                               const Request&, Response*),
                  const Request* request, Response* response) {
  const auto call = grpc::ClientContext::FromServerContext(*context);
  return Told((stub->*method)(call.get(), *request, response), address);
}

template <typename Response>
grpc::Status PassStream(
    const std::string& address, grpc::ClientContext* call,
    std::unique_ptr<grpc::ClientReaderInterface<Response>> reader,
    grpc::ServerWriter<Response>* out) {
  Response part;
  while (reader->Read(&part)) {
    if (!out->Write(part)) call->TryCancel();  // the caller left
  }
  return Told(reader->Finish(), address);
}

}  // namespace

grpc::Status TrackingPassThrough::CreateProject(
    grpc::ServerContext* context, const v1::CreateProjectRequest* request,
    v1::CreateProjectResponse* response) {
  return Pass(address_, context, stub_.get(),
              &v1::Tracking::StubInterface::CreateProject, request, response);
}

grpc::Status TrackingPassThrough::GetProject(
    grpc::ServerContext* context, const v1::GetProjectRequest* request,
    v1::GetProjectResponse* response) {
  return Pass(address_, context, stub_.get(),
              &v1::Tracking::StubInterface::GetProject, request, response);
}

grpc::Status TrackingPassThrough::ListProjects(
    grpc::ServerContext* context, const v1::ListProjectsRequest* request,
    v1::ListProjectsResponse* response) {
  return Pass(address_, context, stub_.get(),
              &v1::Tracking::StubInterface::ListProjects, request, response);
}

grpc::Status TrackingPassThrough::UpdateProject(
    grpc::ServerContext* context, const v1::UpdateProjectRequest* request,
    v1::UpdateProjectResponse* response) {
  return Pass(address_, context, stub_.get(),
              &v1::Tracking::StubInterface::UpdateProject, request, response);
}

grpc::Status TrackingPassThrough::DeleteProject(
    grpc::ServerContext* context, const v1::DeleteProjectRequest* request,
    v1::DeleteProjectResponse* response) {
  return Pass(address_, context, stub_.get(),
              &v1::Tracking::StubInterface::DeleteProject, request, response);
}

grpc::Status TrackingPassThrough::CreateRun(grpc::ServerContext* context,
                                            const v1::CreateRunRequest* request,
                                            v1::CreateRunResponse* response) {
  return Pass(address_, context, stub_.get(),
              &v1::Tracking::StubInterface::CreateRun, request, response);
}

grpc::Status TrackingPassThrough::GetRun(grpc::ServerContext* context,
                                         const v1::GetRunRequest* request,
                                         v1::GetRunResponse* response) {
  return Pass(address_, context, stub_.get(),
              &v1::Tracking::StubInterface::GetRun, request, response);
}

grpc::Status TrackingPassThrough::ListRuns(grpc::ServerContext* context,
                                           const v1::ListRunsRequest* request,
                                           v1::ListRunsResponse* response) {
  return Pass(address_, context, stub_.get(),
              &v1::Tracking::StubInterface::ListRuns, request, response);
}

grpc::Status TrackingPassThrough::SearchRuns(
    grpc::ServerContext* context, const v1::SearchRunsRequest* request,
    v1::SearchRunsResponse* response) {
  return Pass(address_, context, stub_.get(),
              &v1::Tracking::StubInterface::SearchRuns, request, response);
}

grpc::Status TrackingPassThrough::UpdateRun(grpc::ServerContext* context,
                                            const v1::UpdateRunRequest* request,
                                            v1::UpdateRunResponse* response) {
  return Pass(address_, context, stub_.get(),
              &v1::Tracking::StubInterface::UpdateRun, request, response);
}

grpc::Status TrackingPassThrough::DeleteRun(grpc::ServerContext* context,
                                            const v1::DeleteRunRequest* request,
                                            v1::DeleteRunResponse* response) {
  return Pass(address_, context, stub_.get(),
              &v1::Tracking::StubInterface::DeleteRun, request, response);
}

grpc::Status QueryPassThrough::ListMetrics(
    grpc::ServerContext* context, const v1::ListMetricsRequest* request,
    v1::ListMetricsResponse* response) {
  return Pass(address_, context, stub_.get(),
              &v1::Query::StubInterface::ListMetrics, request, response);
}

grpc::Status QueryPassThrough::ListWorkers(
    grpc::ServerContext* context, const v1::ListWorkersRequest* request,
    v1::ListWorkersResponse* response) {
  return Pass(address_, context, stub_.get(),
              &v1::Query::StubInterface::ListWorkers, request, response);
}

grpc::Status QueryPassThrough::LastValues(grpc::ServerContext* context,
                                          const v1::LastValuesRequest* request,
                                          v1::LastValuesResponse* response) {
  return Pass(address_, context, stub_.get(),
              &v1::Query::StubInterface::LastValues, request, response);
}

grpc::Status QueryPassThrough::RankWorkers(
    grpc::ServerContext* context, const v1::RankWorkersRequest* request,
    v1::RankWorkersResponse* response) {
  return Pass(address_, context, stub_.get(),
              &v1::Query::StubInterface::RankWorkers, request, response);
}

grpc::Status QueryPassThrough::Stragglers(grpc::ServerContext* context,
                                          const v1::StragglersRequest* request,
                                          v1::StragglersResponse* response) {
  return Pass(address_, context, stub_.get(),
              &v1::Query::StubInterface::Stragglers, request, response);
}

grpc::Status QueryPassThrough::Missing(grpc::ServerContext* context,
                                       const v1::MissingRequest* request,
                                       v1::MissingResponse* response) {
  return Pass(address_, context, stub_.get(),
              &v1::Query::StubInterface::Missing, request, response);
}

grpc::Status QueryPassThrough::Read(grpc::ServerContext* context,
                                    const v1::ReadRequest* request,
                                    grpc::ServerWriter<v1::ReadResponse>* out) {
  const auto call = grpc::ClientContext::FromServerContext(*context);
  return PassStream(address_, call.get(), stub_->Read(call.get(), *request),
                    out);
}

grpc::Status QueryPassThrough::RunTable(
    grpc::ServerContext* context, const v1::RunTableRequest* request,
    grpc::ServerWriter<v1::RunTableResponse>* out) {
  const auto call = grpc::ClientContext::FromServerContext(*context);
  return PassStream(address_, call.get(), stub_->RunTable(call.get(), *request),
                    out);
}

grpc::Status QueryPassThrough::Bands(
    grpc::ServerContext* context, const v1::BandsRequest* request,
    grpc::ServerWriter<v1::BandsResponse>* out) {
  const auto call = grpc::ClientContext::FromServerContext(*context);
  return PassStream(address_, call.get(), stub_->Bands(call.get(), *request),
                    out);
}

grpc::Status QueryPassThrough::Tail(grpc::ServerContext* context,
                                    const v1::TailRequest* request,
                                    grpc::ServerWriter<v1::TailResponse>* out) {
  const auto call = grpc::ClientContext::FromServerContext(*context);
  return PassStream(address_, call.get(), stub_->Tail(call.get(), *request),
                    out);
}

grpc::Status WritePassThrough::Write(grpc::ServerContext* context,
                                     const v1::WriteRequest* request,
                                     v1::WriteResponse* response) {
  return Pass(address_, context, stub_.get(), &v1::Ingest::StubInterface::Write,
              request, response);
}

}  // namespace waterflow::server
