#include "server/health_service.h"

#include "absl/time/time.h"

namespace waterflow::server {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// How often a watching thread looks whether its client is still there.
constexpr absl::Duration kWatchInterval = absl::Seconds(1);

HealthCheckResponse::ServingStatus StatusOf(bool serving) {
  return serving ? HealthCheckResponse::SERVING
                 : HealthCheckResponse::NOT_SERVING;
}

}  // namespace

void HealthService::StopServing() {
  storage::MutexLock lock(&mutex_);
  serving_ = false;
  changed_.NotifyAll();
}

grpc::Status HealthService::Check(grpc::ServerContext*,
                                  const HealthCheckRequest* request,
                                  HealthCheckResponse* response) {
  if (!Knows(request->service())) {
    return {grpc::StatusCode::NOT_FOUND,
            "no service \"" + request->service() + "\" here"};
  }
  storage::MutexLock lock(&mutex_);
  response->set_status(StatusOf(serving_));
  return grpc::Status::OK;
}

grpc::Status HealthService::Watch(
    grpc::ServerContext* context, const HealthCheckRequest* request,
    grpc::ServerWriter<HealthCheckResponse>* out) {
  const bool known = Knows(request->service());
  bool serving;
  {
    storage::MutexLock lock(&mutex_);
    if (watchers_ == kMaxWatchers) {
      return {grpc::StatusCode::RESOURCE_EXHAUSTED, "too many watchers"};
    }
    ++watchers_;
    serving = serving_;
  }
  HealthCheckResponse response;
  response.set_status(known ? StatusOf(serving)
                            : HealthCheckResponse::SERVICE_UNKNOWN);
  out->Write(response);
  {
    storage::MutexLock lock(&mutex_);
    while (serving_ && !context->IsCancelled()) {
      changed_.WaitFor(&mutex_, kWatchInterval);
    }
    --watchers_;
  }
  if (known && serving) {
    response.set_status(StatusOf(false));
    out->Write(response);
  }
  return grpc::Status::OK;
}

}  // namespace waterflow::server
