// The life of a store: open, close, and what an operator asks of it.
#include <rocksdb/utilities/checkpoint.h>

#include <algorithm>
#include <limits>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/database/rocksdb_build.h"
#include "storage/engine_core.h"
#include "storage/format/keys.h"
#include "storage/ingest/recovery.h"
#include "storage/model/machine_memory.h"
#include "storage/model/memory_plan.h"

namespace waterflow::storage {

std::string StorageVersion() { return RocksDbName(); }

uint64_t DefaultMemoryLimitBytes() {
  const uint64_t machine = MachineMemoryBytes();
  return machine == 0 ? uint64_t{1} << 30 : machine / 4;
}

absl::StatusOr<std::unique_ptr<Engine>> Engine::Open(EngineOptions options) {
  absl::StatusOr<std::unique_ptr<Database>> database = Database::Open(options);
  if (!database.ok()) return database.status();
  auto engine =
      std::make_unique<EngineCore>(std::move(options), *std::move(database));
  if (absl::Status s = engine->Recover(); !s.ok()) return s;
  return engine;
}

namespace {

uint32_t Cores() { return std::max(1u, std::thread::hardware_concurrency()); }

}  // namespace

EngineCore::EngineCore(EngineOptions options,
                       std::unique_ptr<Database> database)
    : options_(std::move(options)),
      database_(std::move(database)),
      state_(database_.get()),
      log_(database_.get(), options_.sync != SyncPolicy::kOff),
      merger_(options_, database_.get(), &state_),
      sealer_(options_, database_.get(), &log_, &state_,
              [this] { merger_.Wake(); }),
      disk_reserve_(database_.get(), options_.disk_reserve_bytes),
      committer_(options_, &log_, &state_, [this] { return WaitForRoom(); }),
      query_gate_(
          options_.light_queries > 0 ? options_.light_queries : 4 * Cores(),
          options_.heavy_queries > 0 ? options_.heavy_queries
                                     : std::max(1u, Cores() / 2)),
      index_(PlanMemory(options_.memory_limit_bytes).search_bytes) {}

EngineCore::~EngineCore() { Close().IgnoreError(); }

absl::Status EngineCore::Recover() {
  {
    MutexLock lock(&mutex_);
    if (absl::Status s = RecoverLocked(); !s.ok()) return s;
  }
  MeasureProjects();
  return absl::OkStatus();
}

absl::Status EngineCore::RecoverLocked() {
  absl::StatusOr<Recovered> recovered =
      storage::Recover(database_.get(), &log_, &catalog_, &state_);
  if (!recovered.ok()) return recovered.status();
  opened_ns_ = absl::GetCurrentTimeNanos();
  server_rows_.SetLimit(options_.max_rows_per_second);
  replayed_rows_ = recovered->replayed_rows;
  committer_.Start(recovered->last);
  sealer_.Start();
  merger_.Start();
  started_ = true;
  retention_.Start(options_.retention_interval, [this] { Retain(); });
  quota_look_.Start(options_.quota_interval, [this] { MeasureProjects(); });
  return absl::OkStatus();
}

absl::Status EngineCore::Close() {
  {
    MutexLock lock(&mutex_);
    if (closing_ || !started_) return absl::OkStatus();
    closing_ = true;
    for (const auto& [name, session] : streams_) {
      committer_.Enqueue(
          EndOf(session, absl::UnavailableError("the store is closing")));
    }
    streams_.clear();
  }
  retention_.Stop();
  quota_look_.Stop();
  // The committer first, while the sealer still makes room for it.
  committer_.Stop();
  sealer_.Stop();
  merger_.Stop();
  return absl::OkStatus();
}

absl::Status EngineCore::CheckOpen() const {
  return closing_ ? absl::UnavailableError("the store is closing")
                  : absl::OkStatus();
}

EngineStats EngineCore::Stats() {
  EngineStats stats;
  {
    MutexLock lock(&mutex_);
    stats.projects = catalog_.project_count();
    stats.runs = catalog_.run_count();
    stats.open_streams = static_cast<uint64_t>(
        std::count_if(streams_.begin(), streams_.end(),
                      [](const auto& s) { return !s.second->closed.load(); }));
  }
  stats.format_version = kFormatVersion;
  stats.storage_version = StorageVersion();
  stats.rows = state_.total_rows();
  stats.values = state_.total_values();
  stats.unsealed_bytes = state_.unsealed_bytes();
  stats.unsealed_limit_bytes = 2 * sealer_.seal_bytes();
  stats.generations = state_.generations().size();
  const DiskBytes disk = database_->disk_bytes();
  stats.sst_bytes = disk.sst;
  stats.wal_bytes = disk.wal;
  stats.manifest_bytes = disk.manifest;
  stats.disk_free_bytes = database_->FreeBytes().value_or(0);
  stats.disk_reserve_bytes = disk_reserve_.reserve_bytes();
  const MemoryBytes memory = database_->memory_bytes();
  stats.memory_limit_bytes = options_.memory_limit_bytes;
  stats.memtable_bytes = memory.memtables;
  stats.cache_bytes = memory.cache;
  {
    MutexLock lock(&index_mutex_);
    stats.search_bytes = index_.bytes();
  }
  const Committer::Stats commits = committer_.stats();
  stats.commit_groups = commits.groups;
  stats.commit_bytes = commits.bytes;
  stats.batches = commits.batches;
  stats.duplicate_rows = counters_.duplicate_rows.load();
  stats.rejected_batches = counters_.rejected_batches.load();
  const Sealer::Stats seals = sealer_.stats();
  stats.seals = seals.seals;
  stats.seal_cpu_ns = seals.cpu_ns;
  stats.replayed_rows = replayed_rows_;
  stats.seal_bytes = seals.bytes;
  const Merger::Stats merges = merger_.stats();
  stats.merges = merges.merges;
  stats.merge_cpu_ns = merges.cpu_ns;
  stats.merge_bytes = merges.bytes;
  stats.compacted_bytes = database_->compacted_bytes();
  return stats;
}

absl::StatusOr<uint64_t> EngineCore::Seal() {
  // What was appended before this call is in the heads after it.
  if (absl::Status s = Barrier(); !s.ok()) return s;
  return sealer_.SealNow();
}

absl::StatusOr<uint64_t> EngineCore::Flush() {
  absl::StatusOr<uint64_t> rows = Seal();
  if (!rows.ok()) return rows.status();
  if (absl::Status s = merger_.MergeNow(); !s.ok()) return s;
  if (absl::Status s = database_->Settle(); !s.ok()) return s;
  return rows;
}

absl::StatusOr<uint64_t> EngineCore::Checkpoint(const std::string& path) {
  if (!absl::StartsWith(path, "/")) {
    return absl::InvalidArgumentError(
        absl::StrCat("path \"", path, "\": an absolute path is expected"));
  }
  rocksdb::Env* const env = database_->db()->GetEnv();
  if (env->FileExists(path).ok()) {
    return absl::AlreadyExistsError(
        absl::StrCat("path \"", path, "\" exists already"));
  }
  rocksdb::Checkpoint* raw = nullptr;
  rocksdb::Status made = rocksdb::Checkpoint::Create(database_->db(), &raw);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(raw);
  if (made.ok()) {
    const Database::FilesHeld held(database_.get());
    if (absl::Status s = held.status(); !s.ok()) return s;
    // The log is copied and never flushed: its memtable is to die in memory.
    made = checkpoint->CreateCheckpoint(
        path, /*log_size_for_flush=*/std::numeric_limits<uint64_t>::max());
    if (absl::Status s = held.status(); made.ok() && !s.ok()) {
      rocksdb::Options copy;
      copy.env = env;
      rocksdb::DestroyDB(path, copy).PermitUncheckedError();
      return s;
    }
  }
  if (!made.ok()) return ToStatus(made, absl::StrCat("checkpoint ", path));
  std::vector<rocksdb::Env::FileAttributes> files;
  uint64_t bytes = 0;
  if (env->GetChildrenFileAttributes(path, &files).ok()) {
    for (const auto& file : files) bytes += file.size_bytes;
  }
  return bytes;
}

}  // namespace waterflow::storage
