#include "storage/keep/merger.h"

#include <algorithm>
#include <utility>

#include "storage/format/keys.h"
#include "storage/keep/sealed_source.h"
#include "storage/model/thread_cpu.h"

namespace waterflow::storage {
namespace {

// How soon a merge that failed is tried again, and how often it is looked
// whether a replaced generation lost its last reader.
constexpr absl::Duration kRetry = absl::Seconds(30);
constexpr absl::Duration kDropTick = absl::Seconds(1);

}  // namespace

Merger::Merger(const EngineOptions& options, Database* database,
               LiveState* state)
    : database_(database),
      state_(state),
      policy_({.fan_in = options.merge_fan_in}) {}

Merger::~Merger() { Stop(); }

void Merger::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Merger::Stop() {
  stopping_.store(true);
  {
    MutexLock lock(&mutex_);
    wake_.NotifyAll();
    settled_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void Merger::Wake() {
  MutexLock lock(&mutex_);
  woken_ = true;
  wake_.NotifyAll();
}

absl::Status Merger::MergeNow() {
  MutexLock lock(&mutex_);
  const uint64_t ticket = ++wanted_;
  wake_.NotifyAll();
  while (done_ < ticket) {
    if (stopping_) return absl::UnavailableError("the store is closing");
    settled_.Wait(&mutex_);
  }
  return last_;
}

void Merger::Run() {
  absl::Duration rest = absl::ZeroDuration();  // after a failure
  while (true) {
    uint64_t ticket = 0;
    bool settle = false;
    {
      MutexLock lock(&mutex_);
      while (!stopping_ && done_ == wanted_ &&
             (!woken_ || rest > absl::ZeroDuration())) {
        if (rest > absl::ZeroDuration()) {
          if (!wake_.WaitFor(&mutex_, rest)) rest = absl::ZeroDuration();
          woken_ = true;
        } else if (!retired_.empty()) {
          if (!wake_.WaitFor(&mutex_, kDropTick)) break;
        } else {
          wake_.Wait(&mutex_);
        }
      }
      if (stopping_) break;
      woken_ = false;
      ticket = wanted_;
      settle = done_ != wanted_;
    }
    const uint64_t cpu_before = ThreadCpuNs();
    const absl::Status status = MergeAll(settle);
    DropRetired();
    cpu_ns_.fetch_add(ThreadCpuNs() - cpu_before);
    rest = status.ok() ? absl::ZeroDuration() : kRetry;
    MutexLock lock(&mutex_);
    if (settle) last_ = status;
    done_ = ticket;
    settled_.NotifyAll();
  }
  DropRetired();
}

absl::Status Merger::MergeAll(bool settle) {
  absl::Status status;
  while (!stopping_) {
    const Generations all = state_->generations();
    const std::vector<GenerationShape> shapes = Shapes(all);
    std::optional<MergeChoice> choice = PlanMerge(shapes, policy_);
    if (!choice.has_value() && settle) choice = PlanSettle(shapes, policy_);
    if (!choice.has_value()) return status;
    const Generations parts(all.begin() + choice->begin,
                            all.begin() + choice->end);
    const absl::Status merged = Merge(parts, choice->level);
    if (absl::IsDataLoss(merged)) {
      // They stay as they are, readable as far as they can be read.
      for (const auto& part : parts) damaged_.insert(part->id);
      status = merged;
    } else if (!merged.ok()) {
      return merged;
    }
    DropRetired();
  }
  return absl::UnavailableError("the store is closing");
}

std::vector<GenerationShape> Merger::Shapes(
    const Generations& generations) const {
  const absl::flat_hash_set<RunId> deleted = state_->deleted_runs();
  std::vector<GenerationShape> shapes;
  for (const auto& g : generations) {
    uint64_t dead_rows = 0;
    for (const auto& [run, rows] : g->runs) {
      if (deleted.contains(run)) dead_rows += rows;
    }
    shapes.push_back({.level = g->level,
                      .rows = g->rows,
                      .dead_rows = dead_rows,
                      .strips = g->strips,
                      .bytes = g->bytes,
                      .fixed = damaged_.contains(g->id)});
  }
  return shapes;
}

absl::Status Merger::Merge(const Generations& parts, uint32_t level) {
  // After a failure; else it does nothing.
  if (absl::Status s = database_->Resume(); !s.ok()) return s;
  GenerationWriter writer(database_, state_->NewGenerationId(), "merge");
  if (absl::Status s = WriteParts(parts, &writer); !s.ok()) return s;
  std::shared_ptr<Generation> merged;
  if (!writer.empty()) {
    if (absl::Status s = writer.Finish(); !s.ok()) return s;
    database_->Reach("merge:before_ingest");
    if (absl::Status s = writer.Ingest(); !s.ok()) return s;
    merged = std::make_shared<Generation>(writer.written());
    merged->first = parts.front()->first;
    merged->level = level;
    bytes_.fetch_add(merged->bytes);
  }
  database_->Reach("merge:after_ingest");
  if (absl::Status s = Commit(parts, std::move(merged)); !s.ok()) {
    // Nobody knows the new files; the next start drops them. Not earlier: what
    // a failed write has left in RocksDB's log may yet name them then.
    return s;
  }
  database_->Reach("merge:after_commit");
  merges_.fetch_add(1);
  retired_.insert(retired_.end(), parts.begin(), parts.end());
  return absl::OkStatus();
}

absl::Status Merger::WriteParts(const Generations& parts,
                                GenerationWriter* writer) {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  std::vector<GenerationId> ids;
  for (const auto& part : parts) ids.push_back(part->id);
  absl::StatusOr<SealedTables> tables = ListTables(*database_, options, ids);
  if (!tables.ok()) return tables.status();
  const absl::flat_hash_set<RunId> deleted = state_->deleted_runs();
  for (const auto& [key, generations] : *tables) {
    const auto& [run, schema] = key;
    if (stopping_) return absl::UnavailableError("the store is closing");
    if (deleted.contains(run)) continue;
    absl::StatusOr<std::unique_ptr<SealedSource>> source =
        SealedSource::Load(database_, options, generations, run, schema);
    if (!source.ok()) return source.status();
    if (absl::Status s = writer->Add(run, schema, source->get()); !s.ok()) {
      return s;
    }
  }
  return absl::OkStatus();
}

absl::Status Merger::Commit(const Generations& parts,
                            std::shared_ptr<const Generation> merged) {
  rocksdb::WriteBatch batch;
  auto* const meta = database_->family(Family::kMeta);
  for (const auto& part : parts) {
    batch.Delete(meta, MetaGenerationKey(part->id));
  }
  if (merged != nullptr) {
    batch.Put(meta, MetaGenerationKey(merged->id), merged->Encode());
  }
  if (absl::Status s = database_->Write(&batch, /*sync=*/true); !s.ok()) {
    return s;
  }
  state_->ReplaceGenerations(parts, std::move(merged));
  return absl::OkStatus();
}

void Merger::DropRetired() {
  // Out of the live state's list, so that no new reader can come.
  const size_t before = retired_.size();
  std::erase_if(retired_, [this](const auto& generation) {
    return generation.use_count() == 1 && DropFiles(generation->id);
  });
  if (retired_.size() < before) database_->Reach("merge:after_drop");
}

bool Merger::DropFiles(GenerationId generation) {
  const std::string begin = GenerationPrefix(generation);
  const std::string end = PrefixEnd(begin);
  bool gone = true;
  for (const Family family : kGenerationFamilies) {
    // A file that RocksDB is busy with is passed over, and tried again.
    database_->DropFiles(family, begin, end).IgnoreError();
    auto it = database_->Iterate(family);
    it->Seek(begin);
    gone = gone && !(it->Valid() && it->key().starts_with(begin));
  }
  return gone;
}

}  // namespace waterflow::storage
