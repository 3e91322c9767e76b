// Values in: opening streams, declaring schemas, and the unary write.
#include <algorithm>
#include <future>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/engine_core.h"
#include "storage/format/keys.h"
#include "storage/model/limits.h"
#include "storage/model/names.h"

namespace waterflow::storage {

size_t EngineCore::max_pending_bytes() const {
  // A few groups: one being written, and others filling up behind it.
  return std::max<size_t>(8 * options_.group_bytes, 4 * kMaxMessageBytes);
}

void EngineCore::OpenStream(StreamOptions options,
                            std::shared_ptr<StreamObserver> observer,
                            OpenedCallback done) {
  if (absl::Status s = CheckWorker(options.worker); !s.ok()) {
    done(std::move(s));
    return;
  }
  auto shared = std::make_shared<SessionState>(std::move(observer));
  if (absl::Status s = OpenLogged(std::move(options), shared, done); !s.ok()) {
    done(std::move(s));
  }
}

absl::Status EngineCore::OpenLogged(StreamOptions options,
                                    std::shared_ptr<SessionState> shared,
                                    const OpenedCallback& done) {
  MutexLock lock(&mutex_);
  if (absl::Status s = CheckOpen(); !s.ok()) return s;
  absl::StatusOr<const RunState*> run = catalog_.FindRun(options.run);
  if (!run.ok()) return run.status();
  for (const absl::Status& s : {CheckWorkerRoom(**run, options.worker),
                                CheckProjectDisk((*run)->value.project)}) {
    if (!s.ok()) return s;
  }
  const RunId run_id = (*run)->id;
  const SessionQuota quota = SessionQuotaOf((*run)->value.project);
  std::shared_ptr<SessionState>& current = streams_[{run_id, options.stream}];
  if (current != nullptr) {
    // What the older session has queued is committed before the barrier below.
    committer_.Enqueue(EndOf(
        current,
        absl::AbortedError("a newer session of this stream has taken over")));
  }
  current = shared;
  Changes changes;
  const LaneName name{
      .run = run_id,
      .worker = catalog_.RegisterWorker(run_id, options,
                                        absl::GetCurrentTimeNanos(), &changes),
      .stream = options.stream};
  state_.Seen(name.run, name.worker, absl::GetCurrentTimeNanos());
  Pending item;
  item.changes = std::move(changes);
  item.done = [this, name, shared, options = std::move(options), quota, done](
                  const absl::Status& committed, Position) {
    if (!committed.ok()) {
      done(committed);
      return;
    }
    absl::StatusOr<std::vector<LanePosition>> known =
        state_.KnownLanes(name.run, name.worker, name.stream);
    if (!known.ok()) {
      done(known.status());
      return;
    }
    done(std::make_unique<Session>(this, &state_, &committer_, &counters_,
                                   shared, name, options, *std::move(known),
                                   quota));
  };
  committer_.Enqueue(std::move(item));
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<Lane>> EngineCore::DeclareLane(
    const LaneName& name, const std::vector<Metric>& metrics,
    std::optional<uint64_t> held_row) {
  MutexLock lock(&mutex_);
  if (catalog_.FindRun(name.run) == nullptr) {
    return absl::NotFoundError("the run was deleted");
  }
  Changes changes;
  std::shared_ptr<const SchemaState> schema =
      catalog_.ResolveSchema(name.run, metrics, &changes);
  bool is_new = false;
  absl::StatusOr<std::shared_ptr<Lane>> lane =
      state_.OpenLane(name, schema, &is_new);
  if (lane.ok() && is_new) {
    // A lane that is known keeps its names, so this is written only once.
    changes.push_back(
        {LaneKey(name.run, name.worker, name.stream, name.number),
         EncodeValue(LaneValue{.schema = schema->id, .next_row = 0})});
  }
  const uint64_t next_row = lane.ok() ? state_.next_row(**lane) : 0;
  const bool jumps = lane.ok() && held_row.value_or(0) > next_row;
  if (jumps) {
    catalog_.AddLost(name.run,
                     {.worker = name.worker,
                      .schema = schema->id,
                      .first_row = next_row,
                      .end_row = *held_row},
                     &changes);
  }
  if (!jumps) {
    Log(std::move(changes));
    return lane;
  }
  // In one group: a range that was recorded while its rows are still expected
  // would be recorded again by the next session.
  std::vector<Pending> items(2);
  items[0].changes = std::move(changes);
  items[0].joined = true;
  Pending& skip = items[1];
  skip.kind = Pending::Kind::kVoid;
  skip.lane = *lane;
  skip.first_row = next_row;
  skip.rows = *held_row - next_row;
  committer_.Enqueue(absl::MakeSpan(items));
  return lane;
}

void EngineCore::NoteFirstStep(RunId run, uint32_t attempt, int64_t step) {
  MutexLock lock(&mutex_);
  if (catalog_.FindRun(run) == nullptr) return;
  Changes changes;
  catalog_.NoteFirstStep(run, attempt, step, &changes);
  Log(std::move(changes));
}

void EngineCore::SessionClosed(const LaneName& stream,
                               const std::shared_ptr<SessionState>& state) {
  MutexLock lock(&mutex_);
  const auto it = streams_.find({stream.run, stream.stream});
  if (it != streams_.end() && it->second == state) streams_.erase(it);
}

namespace {

absl::Status CheckWrite(const WriteOptions& write) {
  if (write.points.empty() || write.points.size() > kMaxWritePoints) {
    return absl::InvalidArgumentError(
        absl::StrCat("points: ", write.points.size(), " given, 1 to ",
                     kMaxWritePoints, " are allowed"));
  }
  if (write.request_id.size() > kMaxRequestIdBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("request_id: has ", write.request_id.size(),
                     " bytes, at most ", kMaxRequestIdBytes, " are allowed"));
  }
  for (size_t i = 0; i < write.points.size(); ++i) {
    if (absl::Status s =
            CheckName(absl::StrCat("points[", i, "].metric"),
                      write.points[i].metric, 1, kMaxMetricNameBytes);
        !s.ok()) {
      return s;
    }
  }
  return CheckWorker(write.worker);
}

// Points of one step and time, which become one row of one schema.
struct WrittenRow {
  std::vector<const PointToWrite*> points;  // by metric, each once
};

// Rows in the order of their first point. A second point of a metric at the
// same step and time begins a row of its own.
std::vector<WrittenRow> ToRows(const std::vector<PointToWrite>& points) {
  using Key = std::tuple<bool, int64_t, bool, int64_t, size_t>;
  std::map<Key, size_t> rows_by_key;
  std::map<std::tuple<absl::string_view, bool, int64_t, bool, int64_t>, size_t>
      seen;
  std::vector<WrittenRow> rows;
  for (const PointToWrite& p : points) {
    const size_t repeat =
        seen[{p.metric, p.step.has_value(), p.step.value_or(0),
              p.time_ns.has_value(), p.time_ns.value_or(0)}]++;
    const Key key{p.step.has_value(), p.step.value_or(0), p.time_ns.has_value(),
                  p.time_ns.value_or(0), repeat};
    const auto [it, is_new] = rows_by_key.emplace(key, rows.size());
    if (is_new) rows.emplace_back();
    rows[it->second].points.push_back(&p);
  }
  for (WrittenRow& row : rows) {
    std::sort(row.points.begin(), row.points.end(),
              [](const PointToWrite* a, const PointToWrite* b) {
                return a->metric < b->metric;
              });
  }
  return rows;
}

bool SameShape(const WrittenRow& a, const WrittenRow& b) {
  return a.points[0]->step.has_value() == b.points[0]->step.has_value() &&
         a.points[0]->time_ns.has_value() == b.points[0]->time_ns.has_value() &&
         std::equal(a.points.begin(), a.points.end(), b.points.begin(),
                    b.points.end(),
                    [](const PointToWrite* x, const PointToWrite* y) {
                      return x->metric == y->metric;
                    });
}

// Points of one request have no order among themselves, so the first step that
// it logs is the smallest.
std::optional<int64_t> SmallestStep(absl::Span<const WrittenRow> rows) {
  std::optional<int64_t> smallest;
  for (const WrittenRow& row : rows) {
    const std::optional<int64_t>& step = row.points[0]->step;
    if (step.has_value()) smallest = std::min(smallest.value_or(*step), *step);
  }
  return smallest;
}

std::string ToBatch(absl::Span<const WrittenRow> rows) {
  std::vector<int64_t> steps;
  std::vector<int64_t> times;
  for (const WrittenRow& row : rows) {
    const PointToWrite& p = *row.points[0];
    if (p.step.has_value()) steps.push_back(*p.step);
    if (p.time_ns.has_value()) times.push_back(*p.time_ns);
  }
  BatchBuilder batch(0, 0, static_cast<uint32_t>(rows.size()));
  if (!steps.empty()) batch.Steps(steps);
  if (!times.empty()) batch.Times(times);
  std::vector<double> values(rows.size());
  for (uint32_t m = 0; m < rows[0].points.size(); ++m) {
    for (size_t r = 0; r < rows.size(); ++r) {
      values[r] = rows[r].points[m]->value;
    }
    batch.Float64(m, values);
  }
  return batch.Build();
}

}  // namespace

absl::StatusOr<WriteResult> EngineCore::Write(WriteOptions write) {
  if (absl::Status s = CheckWrite(write); !s.ok()) return s;
  const int64_t now_ns = absl::GetCurrentTimeNanos();
  std::vector<WrittenRow> rows = ToRows(write.points);
  // Neighbours of one shape share a batch.
  std::vector<absl::Span<const WrittenRow>> groups;
  for (size_t begin = 0; begin < rows.size();) {
    size_t end = begin + 1;
    while (end < rows.size() && SameShape(rows[begin], rows[end])) ++end;
    groups.push_back(absl::MakeSpan(rows).subspan(begin, end - begin));
    begin = end;
  }
  std::vector<std::shared_ptr<Lane>> lanes;
  const uint64_t points = write.points.size();
  std::promise<std::pair<absl::Status, Position>> promise;
  {
    MutexLock lock(&mutex_);
    if (absl::Status s = CheckOpen(); !s.ok()) return s;
    absl::StatusOr<const RunState*> run = catalog_.FindRun(write.run);
    if (!run.ok()) return run.status();
    const RunId run_id = (*run)->id;
    if (!catalog_.requests().Find(write.request_id).has_value()) {
      const ProjectId project = (*run)->value.project;
      for (const absl::Status& s :
           {CheckWorkerRoom(**run, write.worker), CheckProjectDisk(project),
            CheckRate(project)}) {
        if (!s.ok()) return s;
      }
      SessionQuotaOf(project).Take(rows.size());
      Changes changes;
      const LaneName worker{
          .run = run_id,
          .worker = catalog_.RegisterWorker(
              run_id,
              StreamOptions{.run = write.run,
                            .worker = write.worker,
                            .stream = {},
                            .attempt = std::max(write.attempt, 1u),
                            .resume_step = std::nullopt,
                            .held = {}},
              now_ns, &changes),
          // Writes of a worker share a stream of their own; the server numbers
          // its rows, a lane per schema.
          .stream = Uuid{}};
      std::vector<Pending> items;
      for (const auto& group : groups) {
        std::vector<Metric> metrics;
        for (const PointToWrite* p : group[0].points) {
          metrics.emplace_back().name = p->metric;
        }
        std::shared_ptr<const SchemaState> schema =
            catalog_.ResolveSchema(run_id, metrics, &changes);
        LaneName name = worker;
        name.number = schema->id.value;
        bool is_new = false;
        absl::StatusOr<std::shared_ptr<Lane>> lane =
            state_.OpenLane(name, schema, &is_new);
        if (!lane.ok()) {
          // The catalog has its changes already.
          Log(std::move(changes));
          for (const auto& opened : lanes) state_.CloseLane(opened);
          return lane.status();
        }
        lanes.push_back(*lane);
        const uint32_t attempt = std::max(write.attempt, 1u);
        const std::optional<int64_t> step = SmallestStep(group);
        if (step.has_value() && !state_.stepped_in(**lane, attempt)) {
          catalog_.NoteFirstStep(run_id, attempt, *step, &changes);
        }
        Pending item;
        item.kind = Pending::Kind::kBatch;
        item.joined = true;
        item.lane = *lane;
        item.body = BatchBody::Copy(ToBatch(group));
        item.rows = group.size();
        item.attempt = attempt;
        item.values = group.size() * group[0].points.size();
        item.received_ns = now_ns;
        item.has_step = group[0].points[0]->step.has_value();
        item.has_time = group[0].points[0]->time_ns.has_value();
        item.assign_row = true;
        items.push_back(std::move(item));
      }
      // Its memory stands or falls with its rows: when they fail, it is a new
      // request that comes next.
      Pending last;
      last.with_rows = true;
      if (!write.request_id.empty()) {
        catalog_.RememberRequest(write.request_id,
                                 {.points = points, .made_ns = now_ns},
                                 &last.changes);
      }
      last.done = [this, &promise, &write](const absl::Status& status,
                                           Position position) {
        if (!status.ok()) {
          MutexLock forget(&mutex_);
          catalog_.requests().Erase(write.request_id);
        }
        promise.set_value({status, position});
      };
      Pending first;
      first.changes = std::move(changes);
      first.joined = true;
      items.insert(items.begin(), std::move(first));
      items.push_back(std::move(last));
      committer_.Enqueue(absl::MakeSpan(items));
    }
  }
  if (lanes.empty()) return RepeatedWrite(write.request_id);
  const auto [durable, position] = promise.get_future().get();
  for (const std::shared_ptr<Lane>& lane : lanes) state_.CloseLane(lane);
  if (!durable.ok()) return durable;
  return WriteResult{.points = points, .position = position};
}

absl::StatusOr<WriteResult> EngineCore::RepeatedWrite(
    const std::string& request_id) {
  // The first one may still be on its way.
  if (absl::Status s = Barrier(); !s.ok()) return s;
  MutexLock lock(&mutex_);
  const std::optional<RequestValue> done = catalog_.requests().Find(request_id);
  if (!done.has_value()) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "request ", Quoted(request_id), " failed just now; try it again"));
  }
  return WriteResult{.points = done->points, .position = state_.position()};
}

}  // namespace waterflow::storage
