// Subscriptions: each asks, whenever it has room for more, what became durable
// behind its cursor. Nobody waits for it: it takes its own snapshots, and holds
// none while its reader is slow.
#include <algorithm>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "storage/engine_core.h"
#include "storage/model/limits.h"
#include "storage/query/lane_reader.h"
#include "storage/query/select.h"
#include "storage/query/tail_token.h"

namespace waterflow::storage {
namespace {

// Of a batch, about, when it is a message.
constexpr size_t kBatchBytes = 1 << 20;
// Of a point, and of a part without its metric's and worker's names.
constexpr size_t kPointBytes = 26;
constexpr size_t kPartBytes = 96;

}  // namespace

class EngineTail : public Tail {
 public:
  EngineTail(EngineCore* core, Selection selection, MetricMatcher matcher)
      : core_(core),
        selection_(std::move(selection)),
        matcher_(std::move(matcher)),
        question_(TailQuestion(selection_)),
        exact_metrics_(selection_.metrics.begin(), selection_.metrics.end()) {
    if (selection_.workers.has_value()) {
      exact_workers_.emplace(selection_.workers->begin(),
                             selection_.workers->end());
    }
  }

  uint64_t question() const { return question_; }
  // With the newest rows of each lane.
  absl::Status AddRun(const Uuid& run, uint64_t last_rows);
  absl::Status ResumeRun(TailCursor cursor);

  absl::StatusOr<std::optional<TailBatch>> Next() override;

 private:
  struct Columns {
    std::vector<uint32_t> columns;  // that are followed, ascending
    size_t part_bytes = 0;          // of a part of each
  };
  struct Run {
    RunView view;
    absl::btree_map<SchemaId, Columns> columns;
    std::vector<SchemaId> schemas;  // those of `columns`
    TailCursor::NextRows next_rows;
    // Where the next batch begins, so that each lane has its turn.
    std::pair<SchemaId, WorkerId> first_lane;
  };

  // What the catalog knows of a run by now.
  absl::Status Refresh(Run* run);
  absl::Status AddSchema(const SchemaState& schema, Run* run);
  bool Selects(const Worker& worker) const {
    return (!exact_workers_.has_value() || exact_workers_->contains(worker)) &&
           selection_.worker_filter.Takes(worker);
  }
  // What is new of a run, until the batch is full. Returns whether that was
  // all.
  absl::StatusOr<bool> ReadRun(Run* run, size_t* bytes, TailBatch* batch);
  absl::Status SetNextRow(Run* run, SchemaId schema, WorkerId worker,
                          uint64_t next_row);
  absl::StatusOr<std::string> Token() const;

  EngineCore* const core_;
  const Selection selection_;
  const MetricMatcher matcher_;
  const uint64_t question_;
  const absl::flat_hash_set<std::string> exact_metrics_;
  std::optional<absl::flat_hash_set<Worker>> exact_workers_;

  std::vector<Run> runs_;
  absl::flat_hash_set<std::string> followed_metrics_;
  size_t lanes_ = 0;
  size_t first_run_ = 0;  // where the next batch begins
  bool started_ = false;
  bool more_ = true;
  Position seen_;  // all up to here was given out, unless more_
};

absl::Status EngineTail::AddRun(const Uuid& id, uint64_t last_rows) {
  Run& run = runs_.emplace_back();
  run.view.uuid = id;
  if (absl::Status s = Refresh(&run); !s.ok()) return s;
  // A lane that comes between the two is new, and begins at its first row.
  for (const LaneRows& lane : core_->state_.RowsOf(run.view.id)) {
    if (!run.columns.contains(lane.schema) ||
        lane.worker.value >= run.view.workers.size() ||
        !Selects(run.view.workers[lane.worker.value])) {
      continue;
    }
    if (absl::Status s = SetNextRow(&run, lane.schema, lane.worker,
                                    lane.rows - std::min(lane.rows, last_rows));
        !s.ok()) {
      return s;
    }
  }
  return absl::OkStatus();
}

absl::Status EngineTail::ResumeRun(TailCursor cursor) {
  Run& run = runs_.emplace_back();
  run.view.uuid = cursor.run;
  if (absl::Status s = Refresh(&run); !s.ok()) return s;
  TailCursor::NextRows rows;
  for (const LaneRows& lane : core_->state_.RowsOf(run.view.id)) {
    rows[{lane.schema, lane.worker}] = lane.rows;
  }
  for (const auto& [lane, next_row] : cursor.next_rows) {
    const auto it = rows.find(lane);
    const uint64_t has = it == rows.end() ? 0 : it->second;
    if (next_row > has) {
      return absl::FailedPreconditionError(absl::StrCat(
          "resume_token: is ahead of this server: of worker ",
          lane.second.value, " and schema ", lane.first.value, " of run ",
          cursor.run.ToHex(), " it has ", next_row, " rows, the server ", has));
    }
    if (absl::Status s = SetNextRow(&run, lane.first, lane.second, next_row);
        !s.ok()) {
      return s;
    }
  }
  return absl::OkStatus();
}

absl::Status EngineTail::Refresh(Run* run) {
  RunView& view = run->view;
  const size_t known = view.schemas.size();
  {
    MutexLock lock(&core_->mutex_);
    absl::StatusOr<const RunState*> found = core_->catalog_.FindRun(view.uuid);
    if (absl::IsNotFound(found.status()) && started_) {
      return absl::NotFoundError(
          absl::StrCat("run ", view.uuid.ToHex(), " was deleted"));
    }
    if (!found.ok()) return found.status();
    const RunState& state = **found;
    view.id = state.id;
    view.hiding_steps = state.HidingSteps();
    for (size_t i = view.workers.size(); i < state.workers.size(); ++i) {
      view.workers.push_back(state.workers[i].worker);
    }
    view.schemas.insert(view.schemas.end(), state.schemas.begin() + known,
                        state.schemas.end());
  }
  for (size_t i = known; i < view.schemas.size(); ++i) {
    if (absl::Status s = AddSchema(*view.schemas[i], run); !s.ok()) return s;
  }
  return absl::OkStatus();
}

absl::Status EngineTail::AddSchema(const SchemaState& schema, Run* run) {
  Columns followed;
  for (uint32_t i = 0; i < schema.names.size(); ++i) {
    const std::string& name = schema.names[i];
    if (!exact_metrics_.contains(name) && !matcher_.Matches(name)) continue;
    followed.columns.push_back(i);
    followed.part_bytes += kPartBytes + kMaxWorkerRoleBytes + name.size();
    followed_metrics_.insert(name);
  }
  if (followed_metrics_.size() > kMaxReadMetrics) {
    return absl::ResourceExhaustedError(
        absl::StrCat("metric_globs, metric_regexes: match more than ",
                     kMaxReadMetrics, " metrics, which is the limit"));
  }
  if (followed.columns.empty()) return absl::OkStatus();
  run->schemas.push_back(schema.id);
  run->columns[schema.id] = std::move(followed);
  return absl::OkStatus();
}

absl::Status EngineTail::SetNextRow(Run* run, SchemaId schema, WorkerId worker,
                                    uint64_t next_row) {
  const auto [it, is_new] =
      run->next_rows.insert_or_assign({schema, worker}, next_row);
  lanes_ += is_new;
  if (lanes_ <= kMaxTailLanes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "more than ", kMaxTailLanes,
      " pairs of a worker and metrics that it logs together, which is the "
      "limit of a subscription; narrow runs, metrics or workers"));
}

absl::StatusOr<bool> EngineTail::ReadRun(Run* run, size_t* bytes,
                                         TailBatch* batch) {
  std::optional<absl::flat_hash_set<WorkerId>>& selected = run->view.selected;
  if (exact_workers_.has_value() || !selection_.worker_filter.empty()) {
    selected.emplace();
    for (uint32_t i = 0; i < run->view.workers.size(); ++i) {
      if (Selects(run->view.workers[i])) selected->insert(WorkerId{i});
    }
  }
  const UnreadRows unread = core_->state_.TakeUnread(
      run->view.id, run->schemas, selected.has_value() ? &*selected : nullptr,
      [&](SchemaId schema, WorkerId worker) -> uint64_t {
        const auto it = run->next_rows.find({schema, worker});
        return it == run->next_rows.end() ? 0 : it->second;
      },
      run->first_lane, kBatchBytes / kPointBytes);
  LaneReader reader(core_->database_.get(), run->view, unread);
  bool all = !unread.cut;
  for (const UnreadLane& lane : unread.lanes) {
    // One that came after the look at the catalog is for the next batch.
    if (lane.worker.value >= run->view.workers.size()) {
      all = false;
      continue;
    }
    const Columns& columns = run->columns.at(lane.schema);
    const size_t row_bytes = columns.columns.size() * kPointBytes;
    const size_t least = columns.part_bytes + row_bytes;
    run->first_lane = {lane.schema, lane.worker};
    if (*bytes > 0 && *bytes + least > kBatchBytes) return false;
    const size_t room = kBatchBytes - std::min(kBatchBytes, *bytes + least);
    const uint64_t end =
        std::min(LaneReader::EndOf(lane), lane.next_row + 1 + room / row_bytes);
    if (absl::Status s = reader.Read(lane, lane.next_row, end, columns.columns,
                                     &batch->parts);
        !s.ok()) {
      return s;
    }
    *bytes += columns.part_bytes + (end - lane.next_row) * row_bytes;
    if (absl::Status s = SetNextRow(run, lane.schema, lane.worker, end);
        !s.ok()) {
      return s;
    }
    all = all && end == lane.end_row;
    // It had its turn.
    ++run->first_lane.second.value;
  }
  return all;
}

absl::StatusOr<std::string> EngineTail::Token() const {
  TailTokenBuilder token(question_);
  for (const Run& run : runs_) token.Add(run.view.uuid, run.next_rows);
  std::string bytes = std::move(token).Build();
  if (bytes.size() <= kMaxTailTokenBytes) return bytes;
  return absl::ResourceExhaustedError(absl::StrCat(
      "resume_token: would have ", bytes.size(), " bytes, at most ",
      kMaxTailTokenBytes, "; narrow runs, metrics or workers"));
}

absl::StatusOr<std::optional<TailBatch>> EngineTail::Next() {
  TailBatch batch;
  do {
    // Before the snapshots: they hold at least this much.
    const Position position = core_->state_.position();
    if (!more_ && position == seen_) return std::nullopt;
    size_t bytes = 0;
    more_ = false;
    const size_t first = first_run_;
    for (size_t i = 0; i < runs_.size() && !more_; ++i) {
      first_run_ = (first + i) % runs_.size();
      Run& run = runs_[first_run_];
      if (absl::Status s = Refresh(&run); !s.ok()) return s;
      const absl::StatusOr<bool> all = ReadRun(&run, &bytes, &batch);
      if (!all.ok()) return all.status();
      more_ = !*all;
    }
    if (!more_) batch.position = seen_ = position;
  } while (more_ && batch.parts.empty());
  if (started_ && batch.parts.empty()) return std::nullopt;
  started_ = true;
  absl::StatusOr<std::string> token = Token();
  if (!token.ok()) return token.status();
  batch.resume_token = *std::move(token);
  return batch;
}

absl::StatusOr<std::unique_ptr<Tail>> EngineCore::OpenTail(
    const TailSpec& spec) {
  const Selection& selection = spec.selection;
  if (absl::Status s = CheckSelection(
          selection.runs.size(), selection.run_filter, selection.metrics.size(),
          selection.metric_patterns, selection.worker_filter);
      !s.ok()) {
    return s;
  }
  if (spec.last_rows > kMaxTailRows) {
    return absl::InvalidArgumentError(
        absl::StrCat("last_rows ", spec.last_rows, ": at most ", kMaxTailRows));
  }
  absl::StatusOr<MetricMatcher> matcher =
      MetricMatcher::Compile(selection.metric_patterns);
  if (!matcher.ok()) return matcher.status();
  auto tail =
      std::make_unique<EngineTail>(this, selection, *std::move(matcher));
  if (!spec.resume_token.empty()) {
    absl::StatusOr<std::vector<TailCursor>> cursors =
        DecodeTailToken(spec.resume_token, tail->question());
    if (!cursors.ok()) return cursors.status();
    for (TailCursor& cursor : *cursors) {
      if (absl::Status s = tail->ResumeRun(std::move(cursor)); !s.ok()) {
        return s;
      }
    }
    return tail;
  }
  std::vector<Uuid> runs = selection.runs;
  if (selection.run_filter.has_value()) {
    absl::StatusOr<std::vector<Uuid>> found =
        FindRunIds(*selection.run_filter, nullptr);
    if (!found.ok()) return found.status();
    runs = *std::move(found);
  }
  absl::flat_hash_set<Uuid> seen;
  for (const Uuid& run : runs) {
    if (!seen.insert(run).second) continue;  // named twice
    if (absl::Status s = tail->AddRun(run, spec.last_rows); !s.ok()) return s;
  }
  return tail;
}

}  // namespace waterflow::storage
