#include "storage/ingest/session.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/model/limits.h"
#include "storage/model/names.h"

namespace waterflow::storage {

BatchBody BatchBody::Copy(absl::string_view from) {
  BatchBody body{std::make_unique_for_overwrite<char[]>(from.size()),
                 from.size()};
  std::memcpy(body.bytes.get(), from.data(), from.size());
  return body;
}

Session::Session(SessionCatalog* catalog, LiveState* state,
                 Committer* committer, IngestCounters* counters,
                 std::shared_ptr<SessionState> shared, LaneName name,
                 StreamOptions options, std::vector<LanePosition> known,
                 SessionQuota quota)
    : catalog_(catalog),
      state_(state),
      committer_(committer),
      counters_(counters),
      shared_(std::move(shared)),
      name_(name),
      options_(std::move(options)),
      known_(std::move(known)),
      quota_(std::move(quota)) {}

Session::~Session() {
  shared_->closed.store(true);
  // Behind what it has queued: a lane that is forgotten earlier would not know
  // of these rows, and its next session would take them again.
  std::vector<Pending> items;
  for (auto& [number, lane] : lanes_) {
    Pending& item = items.emplace_back();
    item.kind = Pending::Kind::kCloseLane;
    item.lane = std::move(lane.lane);
  }
  if (!items.empty()) committer_->Enqueue(absl::MakeSpan(items));
  catalog_->SessionClosed(name_, shared_);
}

absl::Status Session::DeclareSchema(uint32_t schema,
                                    std::vector<Metric> metrics) {
  if (absl::Status s = CheckSchema(metrics); !s.ok()) return s;
  if (const auto it = lanes_.find(schema); it != lanes_.end()) {
    const std::vector<std::string>& names = it->second.lane->schema->names;
    const bool same = std::equal(
        names.begin(), names.end(), metrics.begin(), metrics.end(),
        [](const std::string& a, const Metric& b) { return a == b.name; });
    if (same) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat(
        "schema ", schema, ": stands for other metrics in this stream"));
  }
  if (lanes_.size() >= kMaxStreamSchemas) {
    return absl::InvalidArgumentError(
        absl::StrCat("schema ", schema, ": a stream has at most ",
                     kMaxStreamSchemas, " schemas"));
  }
  LaneName name = name_;
  name.number = schema;
  std::optional<uint64_t> held_row;
  for (const LanePosition& held : options_.held) {
    if (held.schema == schema) held_row = held.next_row;
  }
  absl::StatusOr<std::shared_ptr<Lane>> lane =
      catalog_->DeclareLane(name, metrics, held_row);
  if (!lane.ok()) return lane.status();
  const uint64_t next_row =
      std::max(state_->next_row(**lane), held_row.value_or(0));
  // The first step of a lane is that of its first row, whichever session sent
  // it.
  const bool noted = state_->stepped_in(**lane, options_.attempt);
  lanes_[schema] = {
      .lane = *std::move(lane), .next_row = next_row, .step_noted = noted};
  return absl::OkStatus();
}

Pending Session::MakePending(Pending::Kind kind, const OpenLane& lane) const {
  Pending item;
  item.kind = kind;
  item.session = shared_;
  item.lane = lane.lane;
  return item;
}

Rejection Session::Refuse(absl::Status status, const BatchView& batch,
                          OpenLane* lane) {
  counters_->rejected_batches.fetch_add(1, std::memory_order_relaxed);
  Rejection rejection{.status = std::move(status),
                      .schema = batch.schema,
                      .first_row = batch.first_row,
                      .rows = 0};
  // Its rows count as delivered when they are the lane's next ones, so that
  // what follows is no gap, now and after a restart.
  if (lane != nullptr && batch.rows >= 1 && batch.rows <= kMaxBatchRows &&
      batch.first_row <= lane->next_row &&
      batch.first_row + batch.rows > lane->next_row) {
    rejection.rows = batch.rows;
    Pending item = MakePending(Pending::Kind::kVoid, *lane);
    item.first_row = lane->next_row;
    item.rows = batch.first_row + batch.rows - lane->next_row;
    lane->next_row += item.rows;
    committer_->Enqueue(std::move(item));
  }
  return rejection;
}

std::optional<Rejection> Session::Append(BatchBody body) {
  // The observer hears why.
  if (shared_->closed.load(std::memory_order_relaxed)) return std::nullopt;
  if (quota_.project->disk_full.load(std::memory_order_relaxed)) {
    if (absl::Status s = catalog_->CheckRunDisk(name_.run); !s.ok()) {
      committer_->Enqueue(EndOf(shared_, std::move(s)));
      return std::nullopt;
    }
  }
  if (absl::Status s = ParseBatch(body.view(), &view_); !s.ok()) {
    const auto it = lanes_.find(view_.schema);
    return Refuse(std::move(s), view_,
                  it == lanes_.end() ? nullptr : &it->second);
  }
  const auto it = lanes_.find(view_.schema);
  if (it == lanes_.end()) {
    return Refuse(absl::FailedPreconditionError(
                      absl::StrCat("batch: schema ", view_.schema,
                                   " was not declared in this session")),
                  view_, nullptr);
  }
  OpenLane& lane = it->second;
  uint64_t values = 0;
  if (absl::Status s = CheckBatch(view_, lane.lane->schema->names, &values);
      !s.ok()) {
    return Refuse(std::move(s), view_, &lane);
  }
  if (view_.first_row > lane.next_row) {
    return Refuse(
        absl::OutOfRangeError(absl::StrCat(
            "batch: first_row ", view_.first_row, " leaves a gap, schema ",
            view_.schema, " expects row ", lane.next_row)),
        view_, nullptr);
  }
  const uint64_t end = view_.first_row + view_.rows;
  const uint64_t skip =
      std::min<uint64_t>(lane.next_row - view_.first_row, view_.rows);
  if (skip > 0) {
    counters_->duplicate_rows.fetch_add(skip, std::memory_order_relaxed);
  }
  if (skip == view_.rows) {
    Pending item = MakePending(Pending::Kind::kDuplicate, lane);
    item.body = std::move(body);
    committer_->Enqueue(std::move(item));
    return std::nullopt;
  }
  if (!lane.step_noted && !view_.steps.empty()) {
    lane.step_noted = true;
    catalog_->NoteFirstStep(name_.run, options_.attempt,
                            view_.step(static_cast<uint32_t>(skip)));
  }
  Pending item = MakePending(Pending::Kind::kBatch, lane);
  item.first_row = view_.first_row;
  item.rows = view_.rows;
  item.skip = static_cast<uint32_t>(skip);
  item.attempt = options_.attempt;
  item.values = skip == 0 ? values : CountValues(view_, item.skip);
  item.received_ns = absl::GetCurrentTimeNanos();
  item.has_step = !view_.steps.empty();
  item.has_time = !view_.times.empty();
  item.body = std::move(body);
  lane.next_row = end;
  quota_.Take(view_.rows - skip);
  committer_->Enqueue(std::move(item));
  return std::nullopt;
}

void Session::Heartbeat(int64_t /*client_time_ns*/) {
  if (shared_->closed.load()) return;
  state_->Seen(name_.run, name_.worker, absl::GetCurrentTimeNanos());
}

}  // namespace waterflow::storage
