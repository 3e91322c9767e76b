#include "storage/relay/relay_session.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/model/limits.h"
#include "storage/model/names.h"

namespace waterflow::storage {

using Kind = RelayPending::Kind;

absl::Status CheckRelayRoom(const RelayState& state,
                            const RelayCommitter& committer,
                            uint64_t most_bytes) {
  const uint64_t bytes = state.waiting_bytes.load(std::memory_order_relaxed) +
                         committer.pending_bytes();
  if (bytes < most_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "the relay keeps ", bytes, " bytes that its upstream has not taken, ",
      most_bytes, " are allowed (--relay-disk)"));
}

RelaySession::RelaySession(RelayState* state, RelayCommitter* committer,
                           uint64_t most_bytes,
                           std::shared_ptr<RelayStream> stream,
                           std::shared_ptr<SessionState> shared,
                           std::vector<LanePosition> held,
                           std::vector<LanePosition> known)
    : state_(state),
      committer_(committer),
      most_bytes_(most_bytes),
      stream_(std::move(stream)),
      shared_(std::move(shared)),
      held_(std::move(held)),
      known_(std::move(known)) {}

RelaySession::~RelaySession() {
  shared_->closed.store(true);
  {
    MutexLock lock(&state_->mutex);
    if (stream_->session == shared_) stream_->session = nullptr;
    state_->news.insert(stream_->number);
  }
  state_->Wake();
}

RelayPending RelaySession::MakePending(Kind kind, uint32_t schema,
                                       RelayLane* lane) const {
  RelayPending item;
  item.kind = kind;
  item.stream = stream_;
  item.session = shared_;
  item.schema = schema;
  item.lane = lane;
  return item;
}

absl::Status RelaySession::DeclareSchema(uint32_t schema,
                                         std::vector<Metric> metrics) {
  if (absl::Status s = CheckSchema(metrics); !s.ok()) return s;
  if (lanes_.size() >= kMaxStreamSchemas && !lanes_.contains(schema)) {
    return absl::InvalidArgumentError(
        absl::StrCat("schema ", schema, ": a stream has at most ",
                     kMaxStreamSchemas, " schemas"));
  }
  MutexLock lock(&state_->mutex);
  RelayLane& lane = stream_->lanes[schema];
  if (lane.metrics == nullptr) {
    lane.SetMetrics(std::move(metrics));
  } else if (!std::equal(lane.names->begin(), lane.names->end(),
                         metrics.begin(), metrics.end(),
                         [](const std::string& a, const Metric& b) {
                           return a == b.name;
                         })) {
    return absl::FailedPreconditionError(absl::StrCat(
        "schema ", schema, ": stands for other metrics in this stream"));
  }
  if (lanes_.contains(schema)) return absl::OkStatus();
  if (!lane.stored) {
    committer_->Enqueue(MakePending(Kind::kSchema, schema, &lane));
  }
  uint64_t next_row = lane.next_row;
  for (const LanePosition& held : held_) {
    if (held.schema != schema || held.next_row <= next_row) continue;
    RelayPending lost = MakePending(Kind::kLost, schema, &lane);
    lost.first_row = next_row;
    lost.rows = held.next_row - next_row;
    committer_->Enqueue(std::move(lost));
    next_row = held.next_row;
  }
  lanes_[schema] = {.lane = &lane, .names = lane.names, .next_row = next_row};
  return absl::OkStatus();
}

Rejection RelaySession::Refuse(absl::Status status, OpenLane* lane) {
  Rejection rejection{.status = std::move(status),
                      .schema = view_.schema,
                      .first_row = view_.first_row,
                      .rows = 0};
  // Its rows count as delivered when they are the lane's next ones, here as at
  // the server.
  if (lane != nullptr && view_.rows >= 1 && view_.rows <= kMaxBatchRows &&
      view_.first_row <= lane->next_row &&
      view_.first_row + view_.rows > lane->next_row) {
    rejection.rows = view_.rows;
    RelayPending item = MakePending(Kind::kRefused, view_.schema, lane->lane);
    item.first_row = lane->next_row;
    item.rows = view_.first_row + view_.rows - lane->next_row;
    lane->next_row += item.rows;
    committer_->Enqueue(std::move(item));
  }
  return rejection;
}

std::optional<Rejection> RelaySession::Append(BatchBody body) {
  // The observer hears why.
  if (shared_->closed.load(std::memory_order_relaxed)) return std::nullopt;
  if (absl::Status s = CheckRelayRoom(*state_, *committer_, most_bytes_);
      !s.ok()) {
    committer_->Enqueue(RelayEndOf(stream_, shared_, std::move(s)));
    return std::nullopt;
  }
  const absl::Status parsed = ParseBatch(body.view(), &view_);
  const auto it = lanes_.find(view_.schema);
  OpenLane* const lane = it == lanes_.end() ? nullptr : &it->second;
  if (!parsed.ok()) return Refuse(parsed, lane);
  if (lane == nullptr) {
    return Refuse(absl::FailedPreconditionError(
                      absl::StrCat("batch: schema ", view_.schema,
                                   " was not declared in this session")),
                  nullptr);
  }
  uint64_t values = 0;
  if (absl::Status s = CheckBatch(view_, *lane->names, &values); !s.ok()) {
    return Refuse(std::move(s), lane);
  }
  if (view_.first_row > lane->next_row) {
    return Refuse(
        absl::OutOfRangeError(absl::StrCat(
            "batch: first_row ", view_.first_row, " leaves a gap, schema ",
            view_.schema, " expects row ", lane->next_row)),
        nullptr);
  }
  const uint64_t skip =
      std::min<uint64_t>(lane->next_row - view_.first_row, view_.rows);
  const bool known = skip == view_.rows;
  RelayPending item = MakePending(known ? Kind::kDuplicate : Kind::kBatch,
                                  view_.schema, lane->lane);
  item.first_row = view_.first_row;
  item.rows = view_.rows;
  item.skip = static_cast<uint32_t>(skip);
  item.received_ns = absl::GetCurrentTimeNanos();
  item.body = std::move(body);
  if (!known) lane->next_row = view_.first_row + view_.rows;
  committer_->Enqueue(std::move(item));
  return std::nullopt;
}

void RelaySession::Heartbeat(int64_t /*client_time_ns*/) {
  if (shared_->closed.load()) return;
  MutexLock lock(&state_->mutex);
  stream_->heartbeat_ns = absl::GetCurrentTimeNanos();
}

}  // namespace waterflow::storage
