#include "server/relay/relay_admin_service.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/process_usage.h"
#include "server/version.h"

namespace waterflow::server {

grpc::Status RelayAdminService::AskUpstream() const {
  return {grpc::StatusCode::UNIMPLEMENTED,
          absl::StrCat("this is a relay; ask the server ", upstream_.address,
                       " behind it")};
}

grpc::Status RelayAdminService::Stats(grpc::ServerContext*,
                                      const v1::StatsRequest*,
                                      v1::StatsResponse* response) {
  const storage::RelayStats stats = store_->Stats();
  response->set_server_version(kServerVersion);
  response->set_storage_version(storage::StorageVersion());
  response->set_uptime_seconds(
      std::chrono::duration<double>(std::chrono::steady_clock::now() - started_)
          .count());
  response->set_open_streams(stats.open_streams);
  response->set_sst_bytes(stats.sst_bytes);
  response->set_wal_bytes(stats.wal_bytes);
  response->set_resident_bytes(ResidentBytes());
  response->set_cpu_ns(ProcessCpuNs());
  v1::RelayStats* const relay = response->mutable_relay();
  relay->set_upstream(upstream_.address);
  relay->set_connected(upstream_.channel->GetState(/*try_to_connect=*/true) ==
                       GRPC_CHANNEL_READY);
  relay->set_streams(stats.streams);
  relay->set_waiting_streams(stats.waiting_streams);
  relay->set_waiting_rows(stats.waiting_rows);
  relay->set_waiting_bytes(stats.waiting_bytes);
  relay->set_waiting_limit_bytes(stats.disk_limit_bytes);
  if (stats.oldest_ns != 0) {
    relay->set_oldest_seconds(absl::ToDoubleSeconds(
        absl::Now() - absl::FromUnixNanos(stats.oldest_ns)));
  }
  relay->set_upstream_calls(forward_->open_calls.load());
  relay->set_forwarded_rows(forward_->forwarded_rows.load());
  relay->set_forwarded_batches(forward_->forwarded_batches.load());
  relay->set_rejected_batches(forward_->rejected_batches.load());
  return grpc::Status::OK;
}

grpc::Status RelayAdminService::Flush(grpc::ServerContext*,
                                      const v1::FlushRequest*,
                                      v1::FlushResponse*) {
  return AskUpstream();
}

grpc::Status RelayAdminService::Checkpoint(grpc::ServerContext*,
                                           const v1::CheckpointRequest*,
                                           v1::CheckpointResponse*) {
  return AskUpstream();
}

grpc::Status RelayAdminService::Backup(
    grpc::ServerContext*, const v1::BackupRequest*,
    grpc::ServerWriter<v1::BackupResponse>*) {
  return AskUpstream();
}

grpc::Status RelayAdminService::ListBackups(grpc::ServerContext*,
                                            const v1::ListBackupsRequest*,
                                            v1::ListBackupsResponse*) {
  return AskUpstream();
}

grpc::Status RelayAdminService::Verify(
    grpc::ServerContext*, const v1::VerifyRequest*,
    grpc::ServerWriter<v1::VerifyResponse>*) {
  return AskUpstream();
}

}  // namespace waterflow::server
