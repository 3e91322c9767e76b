// waterflow.v1.Admin of a relay: what it keeps. The rest is the business of the
// server upstream, which is to be asked itself.
#ifndef WATERFLOW_SERVER_RELAY_RELAY_ADMIN_SERVICE_H_
#define WATERFLOW_SERVER_RELAY_RELAY_ADMIN_SERVICE_H_

#include <chrono>

#include "server/relay/pass_through.h"
#include "server/relay/upstream_stream.h"
#include "storage/relay/relay_store.h"
#include "waterflow/v1/admin.grpc.pb.h"

namespace waterflow::server {

class RelayAdminService final : public v1::Admin::Service {
 public:
  // `forward` and `store` must outlive it.
  RelayAdminService(const Upstream& upstream, const ForwardState* forward,
                    const storage::RelayStore* store)
      : upstream_(upstream), forward_(forward), store_(store) {}

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
  grpc::Status AskUpstream() const;

  const Upstream upstream_;
  const ForwardState* const forward_;
  const storage::RelayStore* const store_;
  const std::chrono::steady_clock::time_point started_ =
      std::chrono::steady_clock::now();
};

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_RELAY_RELAY_ADMIN_SERVICE_H_
