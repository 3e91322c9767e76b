#include "server/admin_service.h"

#include "server/convert.h"
#include "server/convert_admin.h"
#include "server/process_usage.h"
#include "server/version.h"

namespace waterflow::server {
grpc::Status AdminService::Stats(grpc::ServerContext*, const v1::StatsRequest*,
                                 v1::StatsResponse* response) {
  const storage::EngineStats stats = engine_->Stats();
  response->set_server_version(kServerVersion);
  response->set_format_version(stats.format_version);
  response->set_storage_version(stats.storage_version);
  response->set_uptime_seconds(
      std::chrono::duration<double>(std::chrono::steady_clock::now() - started_)
          .count());
  response->set_projects(stats.projects);
  response->set_runs(stats.runs);
  response->set_rows(stats.rows);
  response->set_values(stats.values);
  response->set_open_streams(stats.open_streams);
  response->set_unsealed_bytes(stats.unsealed_bytes);
  response->set_unsealed_limit_bytes(stats.unsealed_limit_bytes);
  response->set_generations(stats.generations);
  response->set_sst_bytes(stats.sst_bytes);
  response->set_wal_bytes(stats.wal_bytes);
  response->set_manifest_bytes(stats.manifest_bytes);
  response->set_disk_free_bytes(stats.disk_free_bytes);
  response->set_disk_reserve_bytes(stats.disk_reserve_bytes);
  response->set_memory_limit_bytes(stats.memory_limit_bytes);
  response->set_memtable_bytes(stats.memtable_bytes);
  response->set_cache_bytes(stats.cache_bytes);
  response->set_search_bytes(stats.search_bytes);
  response->set_commit_groups(stats.commit_groups);
  response->set_commit_bytes(stats.commit_bytes);
  response->set_batches(stats.batches);
  response->set_duplicate_rows(stats.duplicate_rows);
  response->set_rejected_batches(stats.rejected_batches);
  response->set_seals(stats.seals);
  response->set_seal_cpu_ns(stats.seal_cpu_ns);
  response->set_seal_bytes(stats.seal_bytes);
  response->set_merges(stats.merges);
  response->set_merge_cpu_ns(stats.merge_cpu_ns);
  response->set_merge_bytes(stats.merge_bytes);
  response->set_resident_bytes(ResidentBytes());
  response->set_cpu_ns(ProcessCpuNs());
  return grpc::Status::OK;
}

grpc::Status AdminService::Flush(grpc::ServerContext*, const v1::FlushRequest*,
                                 v1::FlushResponse* response) {
  const absl::StatusOr<uint64_t> rows = engine_->Flush();
  if (!rows.ok()) return ToGrpc(rows.status());
  response->set_rows_sealed(*rows);
  return grpc::Status::OK;
}

grpc::Status AdminService::Checkpoint(grpc::ServerContext*,
                                      const v1::CheckpointRequest* request,
                                      v1::CheckpointResponse* response) {
  const absl::StatusOr<uint64_t> bytes = engine_->Checkpoint(request->path());
  if (!bytes.ok()) return ToGrpc(bytes.status());
  response->set_bytes(*bytes);
  return grpc::Status::OK;
}

grpc::Status AdminService::Backup(grpc::ServerContext*,
                                  const v1::BackupRequest* request,
                                  grpc::ServerWriter<v1::BackupResponse>* out) {
  // RocksDB calls back for each so many bytes that it copied.
  constexpr uint64_t kCallbackBytes = 4 << 20;
  uint64_t bytes_copied = 0;
  const absl::StatusOr<storage::MadeBackup> made = engine_->Backup(
      {.path = request->path(),
       .keep = request->keep(),
       .verify = request->verify(),
       .progress = [&bytes_copied, out] {
         bytes_copied += kCallbackBytes;
         v1::BackupResponse response;
         response.mutable_progress()->set_bytes_copied(bytes_copied);
         out->Write(response);
       }});
  if (!made.ok()) return ToGrpc(made.status());
  v1::BackupResponse last;
  ToProto(made->backup, last.mutable_summary()->mutable_backup());
  last.mutable_summary()->set_bytes_added(made->bytes_added);
  out->Write(last);
  return grpc::Status::OK;
}

grpc::Status AdminService::ListBackups(grpc::ServerContext*,
                                       const v1::ListBackupsRequest* request,
                                       v1::ListBackupsResponse* response) {
  const absl::StatusOr<std::vector<storage::BackupInfo>> backups =
      storage::ListBackups(request->path());
  if (!backups.ok()) return ToGrpc(backups.status());
  for (const storage::BackupInfo& backup : *backups) {
    ToProto(backup, response->add_backups());
  }
  return grpc::Status::OK;
}

grpc::Status AdminService::Verify(grpc::ServerContext* context,
                                  const v1::VerifyRequest*,
                                  grpc::ServerWriter<v1::VerifyResponse>* out) {
  const storage::VerifyObserver observer = {
      .problem =
          [out](const storage::VerifyProblem& problem) {
            v1::VerifyResponse response;
            ToProto(problem, response.mutable_problem());
            out->Write(response);
          },
      .progress =
          [context, out](const storage::VerifyProgress& progress) {
            v1::VerifyResponse response;
            response.mutable_progress()->set_bytes_read(progress.bytes_read);
            response.mutable_progress()->set_bytes_total(progress.bytes_total);
            return context->IsCancelled() || !out->Write(response)
                       ? absl::CancelledError("the client left")
                       : absl::OkStatus();
          }};
  const absl::StatusOr<storage::VerifyReport> report =
      engine_->Verify(observer);
  if (!report.ok()) return ToGrpc(report.status());
  v1::VerifyResponse last;
  ToProto(*report, last.mutable_summary());
  out->Write(last);
  return grpc::Status::OK;
}

}  // namespace waterflow::server
