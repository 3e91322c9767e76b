#include "storage/ingest/sealer.h"

#include <rocksdb/convenience.h>
#include <time.h>

#include <algorithm>

#include "absl/time/clock.h"
#include "storage/format/bytes.h"
#include "storage/format/keys.h"
#include "storage/ingest/generation_writer.h"

namespace waterflow::storage {
namespace {

// How often age is looked at, and how soon a seal that failed is tried again.
constexpr absl::Duration kTick = absl::Seconds(1);

uint64_t ThreadCpuNs() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

}  // namespace

Sealer::Sealer(const EngineOptions& options, Database* database,
               LiveState* state)
    : options_(options),
      database_(database),
      state_(state),
      seal_bytes_(options.seal_bytes != 0
                      ? options.seal_bytes
                      : std::clamp<uint64_t>(options.memory_limit_bytes / 8,
                                             1 << 20, uint64_t{64} << 20)) {}

Sealer::~Sealer() { Stop(); }

void Sealer::Start(GenerationId next) {
  next_ = next;
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
      if (!stopping_ && done_ == wanted_) wake_.WaitFor(&mutex_, kTick);
      if (stopping_) return;
      ticket = wanted_;
      if (done_ == wanted_ && !Due()) continue;
    }
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
  std::shared_ptr<Generation> generation;
  database_->Reach("seal:before_files");
  if (!unsealed_->tables.empty()) {
    GenerationWriter writer(database_, next_);
    absl::StatusOr<Generation> written = writer.Write(*unsealed_);
    if (!written.ok()) return written.status();
    generation = std::make_shared<Generation>(*std::move(written));
  }
  database_->Reach("seal:after_ingest");
  if (absl::Status s = CommitSeal(*unsealed_, generation.get()); !s.ok()) {
    // The files are in, but nobody knows them: the next try takes a new number,
    // and the next start drops them.
    ++next_.value;
    return s;
  }
  database_->Reach("seal:after_commit");
  ++next_.value;
  seals_.fetch_add(1);
  const std::shared_ptr<const Unsealed> sealed = std::move(unsealed_);
  unsealed_ = nullptr;
  state_->FinishSeal(std::move(generation));
  database_->Reach("seal:before_reclaim");
  Reclaim(*sealed);
  database_->Reach("seal:after_reclaim");
  return absl::OkStatus();
}

absl::Status Sealer::CommitSeal(const Unsealed& unsealed,
                                const Generation* generation) {
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
    for (const auto& older : state_->generations()) {
      if (!older->runs.contains(run)) continue;
      for (const Family family : kGenerationFamilies) {
        erase(family, RunPrefix(older->id, run));
      }
    }
  }
  if (generation != nullptr) {
    batch.Put(meta, MetaGenerationKey(generation->id), generation->Encode());
  }
  std::string position;
  AppendFixed(unsealed.last.value, &position);
  batch.Put(meta, ToSlice(kMetaSealedPosition), position);
  batch.DeleteRange(database_->family(Family::kLog), LogKey(Position{0}),
                    LogKey(Position{unsealed.last.value + 1}));
  return database_->Write(&batch, /*sync=*/true);
}

void Sealer::Reclaim(const Unsealed& unsealed) {
  // Failing here costs space until the next flush, and nothing else.
  database_->LogTrimmed();
  const std::string begin = LogKey(Position{0});
  const std::string end = LogKey(unsealed.last);
  const rocksdb::Slice first(begin);
  const rocksdb::Slice last(end);
  rocksdb::DeleteFilesInRange(database_->db(), database_->family(Family::kLog),
                              &first, &last)
      .PermitUncheckedError();
  for (const RunId run : unsealed.deleted) {
    for (const auto& generation : state_->generations()) {
      if (!generation->runs.contains(run)) continue;
      const std::string prefix = RunPrefix(generation->id, run);
      for (const Family family : kGenerationFamilies) {
        // Not again after an error: a flush that failed half-way must not be
        // tried twice (Database::Resume says why).
        if (!database_->Reclaim(family, prefix, PrefixEnd(prefix)).ok()) return;
      }
    }
  }
}

}  // namespace waterflow::storage
