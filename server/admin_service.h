// waterflow.v1.Admin: stats and upkeep.
#ifndef WATERFLOW_SERVER_ADMIN_SERVICE_H_
#define WATERFLOW_SERVER_ADMIN_SERVICE_H_

#include <chrono>

#include "storage/engine.h"
#include "waterflow/v1/admin.grpc.pb.h"

namespace waterflow::server {

class AdminService final : public v1::Admin::Service {
 public:
  explicit AdminService(storage::Engine* engine) : engine_(engine) {}

  grpc::Status Stats(grpc::ServerContext* context,
                     const v1::StatsRequest* request,
                     v1::StatsResponse* response) override;
  grpc::Status Flush(grpc::ServerContext* context,
                     const v1::FlushRequest* request,
                     v1::FlushResponse* response) override;
  grpc::Status Checkpoint(grpc::ServerContext* context,
                          const v1::CheckpointRequest* request,
                          v1::CheckpointResponse* response) override;
  grpc::Status Backup(grpc::ServerContext* context,
                      const v1::BackupRequest* request,
                      grpc::ServerWriter<v1::BackupResponse>* out) override;
  grpc::Status ListBackups(grpc::ServerContext* context,
                           const v1::ListBackupsRequest* request,
                           v1::ListBackupsResponse* response) override;
  grpc::Status Verify(grpc::ServerContext* context,
                      const v1::VerifyRequest* request,
                      grpc::ServerWriter<v1::VerifyResponse>* out) override;

 private:
  storage::Engine* const engine_;
  const std::chrono::steady_clock::time_point started_ =
      std::chrono::steady_clock::now();
};

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_ADMIN_SERVICE_H_
