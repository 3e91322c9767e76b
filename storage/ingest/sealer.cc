#include "storage/ingest/sealer.h"

#include <algorithm>

#include "absl/time/clock.h"
#include "storage/format/bytes.h"
#include "storage/format/keys.h"
#include "storage/format/latest.h"
#include "storage/ingest/generation_writer.h"
#include "storage/ingest/head_source.h"
#include "storage/model/memory_plan.h"
#include "storage/model/thread_cpu.h"

namespace waterflow::storage {
namespace {

// How often age is looked at, and how soon a seal that failed is tried again.
constexpr absl::Duration kTick = absl::Seconds(1);
// How often the log lets go of deleted runs.
constexpr absl::Duration kReleaseInterval = absl::Seconds(10);

}  // namespace

Sealer::Sealer(const EngineOptions& options, Database* database, Log* log,
               LiveState* state, std::function<void()> sealed)
    : options_(options),
      database_(database),
      log_(log),
      state_(state),
      seal_bytes_(options.seal_bytes != 0
                      ? options.seal_bytes
                      : PlanMemory(options.memory_limit_bytes).seal_bytes),
      sealed_(std::move(sealed)) {}

Sealer::~Sealer() { Stop(); }

void Sealer::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Sealer::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    wake_.NotifyAll();
    settled_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void Sealer::Wake() {
  MutexLock lock(&mutex_);
  wake_.NotifyAll();
}

absl::Status Sealer::WaitForRoom() {
  // Twice the seal size: one being filled, one being sealed.
  if (state_->open_bytes() < seal_bytes_) return absl::OkStatus();
  MutexLock lock(&mutex_);
  wake_.NotifyAll();
  while (!stopping_ && state_->unsealed_bytes() >= 2 * seal_bytes_) {
    // Whatever the cause: a disk that fails must not hold ingest, or a close,
    // for ever. The client's remedy is the same, it keeps its rows.
    if (!last_.ok()) return absl::ResourceExhaustedError(last_.message());
    settled_.Wait(&mutex_);
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> Sealer::SealNow() {
  MutexLock lock(&mutex_);
  // A seal that runs now may have begun too early: wait for one that begins
  // after this.
  const uint64_t ticket = ++wanted_;
  const uint64_t rows_before = done_rows_;
  last_ = absl::OkStatus();
  wake_.NotifyAll();
  while (done_ < ticket) {
    if (stopping_) return absl::UnavailableError("the store is closing");
    if (!last_.ok()) return last_;
    settled_.Wait(&mutex_);
  }
  return done_rows_ - rows_before;
}

bool Sealer::Due() {
  if (unsealed_ != nullptr) return true;
  if (state_->open_bytes() >= seal_bytes_ || state_->has_deleted()) return true;
  return absl::Now() - state_->open_since() >= options_.seal_age;
}

void Sealer::Run() {
  while (true) {
    uint64_t ticket = 0;
    {
      MutexLock lock(&mutex_);
      // What came due while a seal ran has called in vain.
      if (!stopping_ && done_ == wanted_ && !Due()) {
        wake_.WaitFor(&mutex_, kTick);
      }
      if (stopping_) return;
      ticket = wanted_;
      if (done_ == wanted_ && !Due() && !logs_due_) continue;
    }
    ReleaseLogs();
    const uint64_t cpu_before = ThreadCpuNs();
    absl::Status status = absl::OkStatus();
    uint64_t rows = 0;
    // What a failed seal took comes first; then what came since, so that
    // SealNow covers all there was when it was called.
    for (bool left_over = unsealed_ != nullptr; status.ok();) {
      if (unsealed_ == nullptr) unsealed_ = state_->BeginSeal();
      if (unsealed_ == nullptr) break;
      const uint64_t taken = unsealed_->rows;
      status = Seal();
      if (status.ok()) rows += taken;
      if (!left_over) break;
      left_over = false;
    }
    cpu_ns_.fetch_add(ThreadCpuNs() - cpu_before);
    MutexLock lock(&mutex_);
    last_ = status;
    done_rows_ += rows;
    if (status.ok()) done_ = ticket;
    settled_.NotifyAll();
    if (!status.ok() && !stopping_) wake_.WaitFor(&mutex_, kTick);
  }
}

absl::Status Sealer::Seal() {
  // After a failure; else it does nothing.
  if (absl::Status s = database_->Resume(); !s.ok()) return s;
  database_->Reach("seal:before_files");
  std::shared_ptr<const Generation> generation;
  if (!unsealed_->tables.empty()) {
    absl::StatusOr<std::shared_ptr<const Generation>> written =
        WriteGeneration(*unsealed_);
    if (!written.ok()) return written.status();
    generation = *std::move(written);
  }
  database_->Reach("seal:after_ingest");
  const std::shared_ptr<const Unsealed> sealed = unsealed_;
  if (absl::Status s = CommitSeal(std::move(generation)); !s.ok()) {
    // The files are in, but nobody knows them: the next try takes a new number,
    // and the next start drops them.
    return s;
  }
  seals_.fetch_add(1);
  database_->Reach("seal:before_reclaim");
  log_->Trim(sealed->last);
  if (!sealed->deleted.empty()) logs_due_ = true;
  database_->Reach("seal:after_reclaim");
  sealed_();
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Generation>> Sealer::WriteGeneration(
    const Unsealed& unsealed) {
  GenerationWriter writer(database_, state_->NewGenerationId(), "seal");
  for (const auto& [key, table] : unsealed.tables) {
    HeadSource heads(*table);
    if (absl::Status s = writer.Add(key.first, key.second, &heads); !s.ok()) {
      return s;
    }
  }
  if (writer.empty()) return std::shared_ptr<const Generation>();
  if (absl::Status s = writer.Finish(); !s.ok()) return s;
  if (absl::Status s = writer.Ingest(); !s.ok()) return s;
  bytes_.fetch_add(writer.written().bytes);
  return std::make_shared<const Generation>(writer.written());
}

void Sealer::ReleaseLogs() {
  const absl::Time now = absl::Now();
  if (!logs_due_ || now - logs_released_ < kReleaseInterval) return;
  logs_due_ = false;
  logs_released_ = now;
  database_->ReleaseLogs().IgnoreError();
}

absl::Status Sealer::CommitSeal(std::shared_ptr<const Generation> generation) {
  const Unsealed& unsealed = *unsealed_;
  rocksdb::WriteBatch batch;
  auto* const meta = database_->family(Family::kMeta);
  auto* const catalog = database_->family(Family::kCatalog);
  for (const auto& [key, value] : unsealed.changes) {
    if (value.has_value()) {
      batch.Put(catalog, key, *value);
    } else {
      batch.Delete(catalog, key);
    }
  }
  const auto erase = [&](Family family, const std::string& prefix) {
    batch.DeleteRange(database_->family(family), prefix, PrefixEnd(prefix));
  };
  for (const RunId run : unsealed.deleted) {
    for (const CatalogKind kind : kKindsOfRun) {
      erase(Family::kCatalog, CatalogKey(kind, run.value));
    }
    batch.Delete(database_->family(Family::kLatest), LatestKey(run));
  }
  if (generation != nullptr) {
    batch.Put(meta, MetaGenerationKey(generation->id), generation->Encode());
  }
  std::string position;
  AppendFixed(unsealed.last.value, &position);
  batch.Put(meta, ToSlice(kMetaSealedPosition), position);
  if (absl::Status s = database_->Write(&batch, /*sync=*/true); !s.ok()) {
    return s;
  }
  database_->Reach("seal:after_commit");
  unsealed_ = nullptr;
  state_->FinishSeal(std::move(generation));
  return absl::OkStatus();
}

}  // namespace waterflow::storage
