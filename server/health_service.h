// grpc.health.v1.Health: SERVING from the moment the engine is open,
// NOT_SERVING from the moment the server drains.
//
// Not gRPC's own, because that one is built on the callback API: it would add
// two threads that poll, which take messages of streams from the thread that
// owns them, and wake every second on an idle server.
#ifndef WATERFLOW_SERVER_HEALTH_SERVICE_H_
#define WATERFLOW_SERVER_HEALTH_SERVICE_H_

#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "storage/model/mutex.h"

namespace waterflow::server {

class HealthService final : public grpc::health::v1::Health::Service {
 public:
  // Full names of the services that it answers for, besides "" (all).
  explicit HealthService(const std::vector<std::string>& services)
      : services_(services.begin(), services.end()) {}

  // For good; wakes those that watch.
  void StopServing();

  // NOT_FOUND for a service that is not here.
  grpc::Status Check(grpc::ServerContext* context,
                     const grpc::health::v1::HealthCheckRequest* request,
                     grpc::health::v1::HealthCheckResponse* response) override;

  // The status now and at every change, until the server drains or the client
  // leaves. Each watcher occupies a thread: at most kMaxWatchers.
  grpc::Status Watch(
      grpc::ServerContext* context,
      const grpc::health::v1::HealthCheckRequest* request,
      grpc::ServerWriter<grpc::health::v1::HealthCheckResponse>* out) override;

 private:
  static constexpr int kMaxWatchers = 16;

  bool Knows(const std::string& service) const {
    return service.empty() || services_.contains(service);
  }

  const absl::flat_hash_set<std::string> services_;

  storage::Mutex mutex_;
  storage::CondVar changed_;
  bool serving_ ABSL_GUARDED_BY(mutex_) = true;
  int watchers_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_HEALTH_SERVICE_H_
