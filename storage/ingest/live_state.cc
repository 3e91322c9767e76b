#include "storage/ingest/live_state.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/format/bytes.h"
#include "storage/format/keys.h"

namespace waterflow::storage {
namespace {

// What a batch in a head costs beside its bytes.
constexpr size_t kBatchOverheadBytes = sizeof(HeadBatch) + 16;

}  // namespace

// ---- at open ----

void LiveState::AddGeneration(Generation generation) {
  MutexLock lock(&mutex_);
  InsertGeneration(std::make_shared<const Generation>(std::move(generation)));
}

void LiveState::SetNextGeneration(GenerationId next) {
  MutexLock lock(&mutex_);
  next_generation_ = next;
}

void LiveState::RestoreCount(RunId run, SchemaId schema, WorkerId worker,
                             const RowCountValue& value) {
  MutexLock lock(&mutex_);
  counts_[{run, schema, worker}] = std::make_unique<RowCount>(
      RowCount{.rows = value.rows, .values = value.values});
  RunActivity& activity = activity_[run];
  activity.rows += value.rows;
  activity.values += value.values;
  total_rows_ += value.rows;
  total_values_ += value.values;
}

void LiveState::SetPosition(Position position) {
  MutexLock lock(&mutex_);
  position_ = position;
}

// ---- lanes ----

absl::StatusOr<std::vector<LanePosition>> LiveState::KnownLanes(
    RunId run, WorkerId worker, const Uuid& stream) {
  // Memory first: a lane that is not there then is on disk as it stands. (The
  // other way round, one that is sealed between the two looks would be seen as
  // it was before.)
  absl::btree_map<uint32_t, uint64_t> known;
  {
    MutexLock lock(&mutex_);
    for (const auto& [name, lane] : lanes_) {
      if (name.run == run && name.worker == worker && name.stream == stream) {
        known[name.number] = lane->next_row;
      }
    }
  }
  const std::string prefix = LanePrefix(run, worker, stream);
  auto it = database_->Iterate(Family::kCatalog);
  for (it->Seek(ToSlice(prefix));
       it->Valid() && it->key().starts_with(ToSlice(prefix)); it->Next()) {
    LaneValue value;
    ByteReader number(ToView(it->key()).substr(prefix.size()));
    const uint32_t schema = number.BigEndian<uint32_t>();
    if (!number.done() || !DecodeValue(ToView(it->value()), &value)) {
      return absl::DataLossError("catalog: a lane cannot be read");
    }
    known.try_emplace(schema, value.next_row);
  }
  if (!it->status().ok()) return ToStatus(it->status(), "read lanes");
  std::vector<LanePosition> lanes;
  for (const auto& [number, next_row] : known) {
    lanes.push_back({number, next_row});
  }
  return lanes;
}

absl::StatusOr<std::shared_ptr<Lane>> LiveState::OpenLane(
    const LaneName& name, std::shared_ptr<const SchemaState> schema,
    bool* is_new) {
  MutexLock lock(&mutex_);
  absl::StatusOr<std::shared_ptr<Lane>> lane = FindLane(name, schema, is_new);
  if (lane.ok()) ++(*lane)->sessions;
  return lane;
}

void LiveState::CloseLane(const std::shared_ptr<Lane>& lane) {
  MutexLock lock(&mutex_);
  // While a seal runs, disk does not know yet how far the lane has come.
  if (--lane->sessions == 0 && !lane->touched && sealing_ == nullptr) {
    // A deleted run's lanes are gone already, and another may bear the name.
    const auto it = lanes_.find(lane->name);
    if (it != lanes_.end() && it->second == lane) lanes_.erase(it);
  }
}

uint64_t LiveState::next_row(const Lane& lane) {
  MutexLock lock(&mutex_);
  return lane.next_row;
}

bool LiveState::stepped_in(const Lane& lane, uint32_t attempt) {
  MutexLock lock(&mutex_);
  return lane.stepped_attempt == attempt;
}

absl::StatusOr<std::shared_ptr<Lane>> LiveState::LaneForReplay(
    const LaneName& name, std::shared_ptr<const SchemaState> schema) {
  MutexLock lock(&mutex_);
  bool is_new = false;
  return FindLane(name, schema, &is_new);
}

absl::StatusOr<std::shared_ptr<Lane>> LiveState::FindLane(
    const LaneName& name, const std::shared_ptr<const SchemaState>& schema,
    bool* is_new) {
  std::shared_ptr<Lane>& lane = lanes_[name];
  *is_new = false;
  if (lane == nullptr) {
    LaneValue value{.schema = schema->id};
    absl::StatusOr<std::string> stored = database_->Get(
        Family::kCatalog,
        LaneKey(name.run, name.worker, name.stream, name.number));
    *is_new = absl::IsNotFound(stored.status());
    if (!*is_new && (!stored.ok() || !DecodeValue(*stored, &value))) {
      lanes_.erase(name);
      return stored.ok() ? absl::DataLossError("catalog: a lane is malformed")
                         : stored.status();
    }
    if (value.schema != schema->id) {
      lanes_.erase(name);
      return absl::FailedPreconditionError(absl::StrCat(
          "schema ", name.number, ": stands for other metrics in this stream"));
    }
    lane = std::make_shared<Lane>();
    lane->name = name;
    lane->schema = schema;
    lane->next_row = lane->assigned_row = value.next_row;
    lane->stepped_attempt = value.stepped_attempt;
  }
  if (lane->schema->id != schema->id) {
    return absl::FailedPreconditionError(absl::StrCat(
        "schema ", name.number, ": stands for other metrics in this stream"));
  }
  return lane;
}

void LiveState::ForgetIdleLanes() {
  for (auto it = lanes_.begin(); it != lanes_.end();) {
    const Lane& lane = *it->second;
    if (lane.sessions == 0 && !lane.touched) {
      lanes_.erase(it++);
    } else {
      ++it;
    }
  }
}

void LiveState::Touch(const std::shared_ptr<Lane>& lane) {
  if (lane->touched) return;
  lane->touched = true;
  touched_lanes_.push_back(lane);
}

Head& LiveState::HeadOf(Lane& lane) {
  if (lane.head != nullptr && lane.epoch == epoch_) return *lane.head;
  const RunId run = lane.name.run;
  const WorkerId worker = lane.name.worker;
  if (lane.count == nullptr) {
    std::unique_ptr<RowCount>& count = counts_[{run, lane.schema->id, worker}];
    if (count == nullptr) count = std::make_unique<RowCount>();
    lane.count = count.get();
    lane.activity = &activity_[run];
  }
  std::shared_ptr<HeadTable>& table = open_->tables[{run, lane.schema->id}];
  if (table == nullptr) {
    table = std::make_shared<HeadTable>();
    table->schema = lane.schema;
  }
  std::unique_ptr<Head>& head = table->heads[worker];
  if (head == nullptr) {
    head = std::make_unique<Head>();
    head->worker = worker;
    head->first_row = head->end_row = lane.count->rows;
    open_->bytes += sizeof(Head);
  }
  lane.head = head.get();
  lane.epoch = epoch_;
  return *head;
}

// ---- records ----

LiveState::Applier::Applier(LiveState* state,
                            Position position) ABSL_NO_THREAD_SAFETY_ANALYSIS
    : state_(state) {
  state_->mutex_.Lock();
  state_->position_ = position;
  state_->open_->last = position;
}

LiveState::Applier::~Applier() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  state_->mutex_.Unlock();
}

void LiveState::NoteRecord() {
  if (open_->empty()) open_->oldest = absl::Now();
}

void LiveState::Applier::Batch(Lane& lane, HeadBatch batch, uint64_t next_row,
                               uint64_t values) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  state_->NoteRecord();
  Head& head = state_->HeadOf(lane);
  const uint64_t rows = batch.rows - batch.skip;
  state_->open_->bytes += batch.body.size + kBatchOverheadBytes;
  state_->open_->rows += rows;
  lane.activity->Seen(lane.name.worker, batch.received_ns);
  if (batch.has_step) lane.stepped_attempt = batch.attempt;
  head.batches.push_back(std::move(batch));
  head.end_row += rows;
  lane.next_row = next_row;
  lane.count->rows += rows;
  lane.count->values += values;
  if (!lane.count->touched) {
    lane.count->touched = true;
    state_->touched_counts_.push_back(
        {lane.name.run, lane.schema->id, lane.name.worker});
  }
  lane.activity->rows += rows;
  lane.activity->values += values;
  if (!lane.activity->has_new_rows) {
    lane.activity->has_new_rows = true;
    state_->runs_with_new_rows_.push_back(lane.name.run);
  }
  state_->total_rows_ += rows;
  state_->total_values_ += values;
  if (!lane.touched) {
    const auto it = state_->lanes_.find(lane.name);
    if (it != state_->lanes_.end()) state_->Touch(it->second);
  }
}

void LiveState::Applier::Void(Lane& lane, uint64_t next_row)
    ABSL_NO_THREAD_SAFETY_ANALYSIS {
  state_->NoteRecord();
  lane.next_row = next_row;
  const auto it = state_->lanes_.find(lane.name);
  if (it != state_->lanes_.end()) state_->Touch(it->second);
}

void LiveState::Applier::Change(absl::string_view key,
                                std::optional<std::string> value)
    ABSL_NO_THREAD_SAFETY_ANALYSIS {
  state_->NoteRecord();
  state_->open_->changes[std::string(key)] = std::move(value);
}

void LiveState::Applier::Delete(RunId run) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  state_->NoteRecord();
  Unsealed& open = *state_->open_;
  open.deleted.push_back(run);
  state_->deleted_runs_.insert(run);
  // Heads are dropped here; those being sealed, and what is sealed, by a merge.
  for (auto it = open.tables.lower_bound({run, SchemaId{0}});
       it != open.tables.end() && it->first.first == run;) {
    for (const auto& [worker, head] : it->second->heads) {
      for (const HeadBatch& batch : head->batches) {
        open.bytes -= batch.body.size + kBatchOverheadBytes;
        open.rows -= batch.rows - batch.skip;
      }
      open.bytes -= sizeof(Head);
    }
    it = open.tables.erase(it);
  }
  for (auto it = state_->lanes_.begin(); it != state_->lanes_.end();) {
    if (it->first.run == run) {
      it->second->touched = false;
      it->second->head = nullptr;
      it->second->count = nullptr;
      it->second->activity = nullptr;
      state_->lanes_.erase(it++);
    } else {
      ++it;
    }
  }
  const auto counts_begin =
      state_->counts_.lower_bound({run, SchemaId{0}, WorkerId{0}});
  auto counts_end = counts_begin;
  while (counts_end != state_->counts_.end() && counts_end->first.run == run) {
    state_->total_rows_ -= counts_end->second->rows;
    state_->total_values_ -= counts_end->second->values;
    ++counts_end;
  }
  state_->counts_.erase(counts_begin, counts_end);
  const auto of_run = [run](const auto& x) { return x.run == run; };
  std::erase_if(state_->touched_counts_, of_run);
  std::erase_if(state_->touched_lanes_,
                [run](const auto& lane) { return lane->name.run == run; });
  state_->activity_.erase(run);
}

// ---- sealing ----

size_t LiveState::unsealed_bytes() {
  MutexLock lock(&mutex_);
  return open_->bytes + (sealing_ == nullptr ? 0 : sealing_->bytes);
}

size_t LiveState::open_bytes() {
  MutexLock lock(&mutex_);
  return open_->bytes;
}

absl::Time LiveState::open_since() {
  MutexLock lock(&mutex_);
  return open_->oldest;
}

bool LiveState::has_deleted() {
  MutexLock lock(&mutex_);
  return !open_->deleted.empty();
}

std::shared_ptr<const Unsealed> LiveState::BeginSeal() {
  MutexLock lock(&mutex_);
  if (open_->empty()) return nullptr;
  // Lanes and counts as they stand at this position go with the generation.
  for (const std::shared_ptr<Lane>& lane : touched_lanes_) {
    const LaneName& n = lane->name;
    open_->changes[LaneKey(n.run, n.worker, n.stream, n.number)] =
        EncodeValue(LaneValue{.schema = lane->schema->id,
                              .next_row = lane->next_row,
                              .stepped_attempt = lane->stepped_attempt});
    lane->touched = false;
  }
  for (const CountKey& key : touched_counts_) {
    RowCount& count = *counts_.at(key);
    open_->changes[RowCountKey(key.run, key.schema, key.worker)] =
        EncodeValue(RowCountValue{.rows = count.rows, .values = count.values});
    count.touched = false;
  }
  touched_lanes_.clear();
  touched_counts_.clear();
  sealing_ = std::move(open_);
  open_ = std::make_shared<Unsealed>();
  open_->last = position_;
  ++epoch_;
  return sealing_;
}

void LiveState::FinishSeal(std::shared_ptr<const Generation> generation) {
  std::shared_ptr<const Unsealed> sealed;  // freed outside the lock
  MutexLock lock(&mutex_);
  if (generation != nullptr) InsertGeneration(std::move(generation));
  sealed = std::move(sealing_);
  sealing_ = nullptr;
  ForgetIdleLanes();
}

// ---- generations ----

GenerationId LiveState::NewGenerationId() {
  MutexLock lock(&mutex_);
  const GenerationId id = next_generation_;
  ++next_generation_.value;
  return id;
}

std::vector<std::shared_ptr<const Generation>> LiveState::generations() {
  MutexLock lock(&mutex_);
  return generations_;
}

absl::flat_hash_set<RunId> LiveState::deleted_runs() {
  MutexLock lock(&mutex_);
  return deleted_runs_;
}

void LiveState::NoteDeleted(RunId run) {
  MutexLock lock(&mutex_);
  deleted_runs_.insert(run);
}

void LiveState::ReplaceGenerations(
    absl::Span<const std::shared_ptr<const Generation>> parts,
    std::shared_ptr<const Generation> merged) {
  MutexLock lock(&mutex_);
  std::erase_if(generations_, [&](const auto& generation) {
    return std::find(parts.begin(), parts.end(), generation) != parts.end();
  });
  if (merged != nullptr) InsertGeneration(std::move(merged));
}

void LiveState::InsertGeneration(std::shared_ptr<const Generation> generation) {
  const auto at = std::upper_bound(
      generations_.begin(), generations_.end(), generation->first,
      [](GenerationId first, const auto& g) { return first < g->first; });
  generations_.insert(at, std::move(generation));
}

// ---- reading ----

Snapshot LiveState::TakeSnapshot(RunId run, absl::Span<const SchemaId> schemas,
                                 const absl::flat_hash_set<WorkerId>* workers) {
  Snapshot snapshot;
  MutexLock lock(&mutex_);
  snapshot.position = position_;
  for (const auto& generation : generations_) {
    if (generation->runs.contains(run)) {
      snapshot.generations.push_back(generation);
    }
  }
  for (const std::shared_ptr<const Unsealed>& source :
       {sealing_, std::shared_ptr<const Unsealed>(open_)}) {
    if (source == nullptr) continue;
    for (const SchemaId schema : schemas) {
      const auto table = source->tables.find({run, schema});
      if (table == source->tables.end()) continue;
      snapshot.pins.push_back(table->second);
      for (const auto& [worker, head] : table->second->heads) {
        if (workers != nullptr && !workers->contains(worker)) continue;
        snapshot.heads[schema].push_back(
            {worker, {head->batches.begin(), head->batches.end()}});
      }
    }
  }
  return snapshot;
}

std::vector<LaneRows> LiveState::RowsOf(RunId run) {
  std::vector<LaneRows> rows;
  MutexLock lock(&mutex_);
  for (auto it = counts_.lower_bound({run, SchemaId{0}, WorkerId{0}});
       it != counts_.end() && it->first.run == run; ++it) {
    rows.push_back({it->first.schema, it->first.worker, it->second->rows});
  }
  return rows;
}

UnreadRows LiveState::TakeUnread(
    RunId run, absl::Span<const SchemaId> schemas,
    const absl::flat_hash_set<WorkerId>* workers,
    absl::FunctionRef<uint64_t(SchemaId, WorkerId)> next_row_of,
    std::pair<SchemaId, WorkerId> first_lane, uint64_t max_rows) {
  UnreadRows unread;
  MutexLock lock(&mutex_);
  for (const auto& generation : generations_) {
    if (generation->runs.contains(run)) {
      unread.generations.push_back(generation);
    }
  }
  for (const SchemaId schema : schemas) {
    for (auto it = counts_.lower_bound({run, schema, WorkerId{0}});
         it != counts_.end() && it->first.run == run &&
         it->first.schema == schema;
         ++it) {
      const WorkerId worker = it->first.worker;
      if (workers != nullptr && !workers->contains(worker)) continue;
      const uint64_t next_row = next_row_of(schema, worker);
      const uint64_t end_row = it->second->rows;
      if (next_row >= end_row) continue;
      unread.lanes.push_back({schema, worker, next_row, end_row, {}});
    }
  }
  std::rotate(unread.lanes.begin(),
              std::find_if(unread.lanes.begin(), unread.lanes.end(),
                           [&](const UnreadLane& lane) {
                             return std::pair(lane.schema, lane.worker) >=
                                    first_lane;
                           }),
              unread.lanes.end());
  const Unsealed* const sources[] = {sealing_.get(), open_.get()};
  uint64_t rows = 0;
  size_t taken = 0;
  for (; taken < unread.lanes.size() && rows < max_rows; ++taken) {
    UnreadLane& lane = unread.lanes[taken];
    rows += lane.end_row - lane.next_row;
    for (const Unsealed* source : sources) {
      if (source == nullptr) continue;
      const auto table = source->tables.find({run, lane.schema});
      if (table == source->tables.end()) continue;
      const auto head = table->second->heads.find(lane.worker);
      if (head == table->second->heads.end()) continue;
      if (unread.pins.empty() || unread.pins.back() != table->second) {
        unread.pins.push_back(table->second);
      }
      AddUnread(*head->second, max_rows, &lane);
    }
  }
  unread.cut = taken < unread.lanes.size();
  unread.lanes.resize(taken);
  return unread;
}

void LiveState::AddUnread(const Head& head, uint64_t max_rows,
                          UnreadLane* lane) {
  const uint64_t next_row = lane->next_row;
  if (head.end_row <= next_row) return;
  // From the back: who is nearly up to date looks at few of them.
  size_t first = head.batches.size();
  uint64_t row = head.end_row;
  while (first > 0 && row > next_row) {
    --first;
    row -= head.batches[first].rows - head.batches[first].skip;
  }
  HeadPart& part = lane->heads.emplace_back();
  part.first_row = row;
  for (size_t i = first; i < head.batches.size(); ++i) {
    if (row >= next_row && row - next_row >= max_rows) break;
    part.batches.emplace_back(head.batches[i]);
    row += head.batches[i].rows - head.batches[i].skip;
  }
  part.end_row = row;
}

RunActivity LiveState::activity(RunId run) {
  MutexLock lock(&mutex_);
  const auto it = activity_.find(run);
  return it == activity_.end() ? RunActivity{} : it->second;
}

absl::flat_hash_map<WorkerId, uint64_t> LiveState::worker_rows(RunId run) {
  absl::flat_hash_map<WorkerId, uint64_t> rows;
  MutexLock lock(&mutex_);
  for (auto it = counts_.lower_bound({run, SchemaId{0}, WorkerId{0}});
       it != counts_.end() && it->first.run == run; ++it) {
    rows[it->first.worker] += it->second->rows;
  }
  return rows;
}

void LiveState::Seen(RunId run, WorkerId worker, int64_t now_ns) {
  MutexLock lock(&mutex_);
  activity_[run].Seen(worker, now_ns);
}

LiveState::RunRows LiveState::CountRows(RunId run) {
  MutexLock lock(&mutex_);
  const auto holds = [run](const Unsealed& unsealed) {
    const auto it = unsealed.tables.lower_bound({run, SchemaId{0}});
    return it != unsealed.tables.end() && it->first.first == run;
  };
  const auto it = activity_.find(run);
  return {
      .rows = it == activity_.end() ? 0 : it->second.rows,
      .unsealed = holds(*open_) || (sealing_ != nullptr && holds(*sealing_))};
}

std::vector<int64_t> LiveState::LastSeen(absl::Span<const RunId> runs) {
  std::vector<int64_t> seen;
  seen.reserve(runs.size());
  MutexLock lock(&mutex_);
  for (const RunId run : runs) {
    const auto it = activity_.find(run);
    seen.push_back(it == activity_.end() ? 0 : it->second.last_seen_ns);
  }
  return seen;
}

std::vector<RunId> LiveState::TakeRunsWithNewRows() {
  std::vector<RunId> runs;
  MutexLock lock(&mutex_);
  runs.swap(runs_with_new_rows_);
  for (const RunId run : runs) {
    const auto it = activity_.find(run);
    if (it != activity_.end()) it->second.has_new_rows = false;
  }
  return runs;
}

Position LiveState::position() {
  MutexLock lock(&mutex_);
  return position_;
}

uint64_t LiveState::total_rows() {
  MutexLock lock(&mutex_);
  return total_rows_;
}

uint64_t LiveState::total_values() {
  MutexLock lock(&mutex_);
  return total_values_;
}

}  // namespace waterflow::storage
