#include "storage/ingest/committer.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/time/time.h"
#include "storage/format/log_record.h"

namespace waterflow::storage {
namespace {

absl::Duration GatherTime(const EngineOptions& options) {
  return options.sync == SyncPolicy::kInterval
             ? std::max(options.gather, options.sync_interval)
             : options.gather;
}

// A group with fewer items than this shows that nobody else is about to come:
// the next one is committed as soon as it is there, so that a lone worker waits
// for one sync. While that runs, what comes gathers by itself.
constexpr size_t kWorthGathering = 8;

bool HoldsRows(const Pending& item) {
  return item.kind == Pending::Kind::kBatch;
}

// Takes out of a group what needs room, and what is joined to it.
std::vector<Pending> TakeRows(std::vector<Pending>* group) {
  std::vector<Pending> rows;
  std::vector<Pending> rest;
  for (auto begin = group->begin(); begin != group->end();) {
    auto end = begin;
    while (end->joined && end + 1 != group->end()) ++end;
    ++end;
    const bool has_rows = std::any_of(begin, end, [](const Pending& item) {
      return item.session != nullptr || item.lane != nullptr;
    });
    std::move(begin, end, std::back_inserter(has_rows ? rows : rest));
    begin = end;
  }
  *group = std::move(rest);
  return rows;
}

void AppendChanges(const Changes& changes, std::string* out) {
  for (const Change& change : changes) {
    if (change.value.has_value()) {
      AppendRecord(CatalogRecord{change.key, *change.value}, out);
    } else {
      AppendRecord(EraseRecord{change.key}, out);
    }
  }
}

}  // namespace

Committer::Committer(const EngineOptions& options, Log* log, LiveState* state,
                     std::function<absl::Status()> wait_for_room)
    : options_(options),
      log_(log),
      state_(state),
      wait_for_room_(std::move(wait_for_room)) {}

Committer::~Committer() { Stop(); }

void Committer::Start(Position last) {
  last_ = last;
  thread_ = std::thread([this] { Run(); });
}

void Committer::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    wake_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void Committer::Enqueue(Pending item) { Enqueue(absl::MakeSpan(&item, 1)); }

void Committer::Enqueue(absl::Span<Pending> items) {
  size_t bytes = 0;
  for (const Pending& item : items) bytes += item.body.size;
  pending_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  {
    MutexLock lock(&mutex_);
    if (!stopped_) {
      const bool was_empty = queue_.empty();
      const bool was_full = queue_bytes_ >= options_.group_bytes;
      queue_bytes_ += bytes;
      std::move(items.begin(), items.end(), std::back_inserter(queue_));
      // The thread sleeps until there is something, then until there is much.
      if (was_empty || (!was_full && queue_bytes_ >= options_.group_bytes)) {
        wake_.NotifyOne();
      }
      return;
    }
  }
  pending_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  for (Pending& item : items) {
    if (item.done) {
      item.done(absl::UnavailableError("the store is closing"), {});
    }
  }
}

absl::Status Committer::CommitAndWait(Changes changes) {
  struct Waiter {
    Mutex mutex;
    CondVar done;
    bool is_done ABSL_GUARDED_BY(mutex) = false;
    absl::Status status ABSL_GUARDED_BY(mutex);
  };
  // Shared: the committer may still be notifying when the wait is over.
  auto waiter = std::make_shared<Waiter>();
  Pending item;
  item.changes = std::move(changes);
  item.done = [waiter](const absl::Status& status, Position) {
    MutexLock lock(&waiter->mutex);
    waiter->status = status;
    waiter->is_done = true;
    waiter->done.NotifyAll();
  };
  Enqueue(std::move(item));
  MutexLock lock(&waiter->mutex);
  while (!waiter->is_done) waiter->done.Wait(&waiter->mutex);
  return waiter->status;
}

Committer::Stats Committer::stats() const {
  return {.groups = groups_.load(),
          .bytes = bytes_.load(),
          .batches = batches_.load()};
}

void Committer::Run() {
  Group group;
  while (Gather(&group)) {
    Commit(group);
    group.clear();
  }
  if (!carried_.empty() || !carried_deletes_.empty()) Commit(group);
}

bool Committer::Gather(Group* group) {
  if (backlog_at_ == backlog_.size()) {
    backlog_.clear();
    backlog_at_ = 0;
    MutexLock lock(&mutex_);
    while (queue_.empty() && !stopping_) wake_.Wait(&mutex_);
    if (queue_.empty()) {
      stopped_ = true;
      return false;
    }
    const bool gathers = last_group_items_ >= kWorthGathering ||
                         options_.sync == SyncPolicy::kInterval;
    const auto begin = std::chrono::steady_clock::now();
    while (gathers && queue_bytes_ < options_.group_bytes && !stopping_) {
      const absl::Duration rest =
          GatherTime(options_) -
          absl::FromChrono(std::chrono::steady_clock::now() - begin);
      if (rest <= absl::ZeroDuration() || !wake_.WaitFor(&mutex_, rest)) break;
    }
    backlog_.swap(queue_);
    queue_bytes_ = 0;
  }
  // No more than the cap: a group without bound grows under load, and every ack
  // waits for all of it.
  size_t bytes = 0;
  while (backlog_at_ < backlog_.size()) {
    Pending& item = backlog_[backlog_at_];
    const bool joined_to_last = !group->empty() && group->back().joined;
    if (bytes > 0 && bytes + item.body.size > options_.group_bytes &&
        !joined_to_last) {
      break;
    }
    bytes += item.body.size;
    group->push_back(std::move(item));
    ++backlog_at_;
  }
  last_group_items_ = group->size();
  return true;
}

void Committer::Commit(Group& group) {
  absl::Status status;
  if (std::any_of(group.begin(), group.end(), HoldsRows)) {
    status = wait_for_room_();
  }
  if (status.ok()) {
    Encode(group);
    status = AppendToLog();
  } else {
    // No room for rows, but deletes may make some.
    Group rows = TakeRows(&group);
    Fail(rows, status);
    Encode(group);
    status = AppendToLog();
  }
  if (status.ok()) {
    Apply(group, last_);
    if (options_.at_point) options_.at_point("commit:before_ack");
    Acknowledge(group, last_);
  } else {
    Fail(group, status);
  }
}

void Committer::Encode(Group& group) {
  records_.clear();
  bodies_.clear();
  std::string* const out = &records_;
  AppendChanges(carried_, out);
  for (const RunId run : carried_deletes_) AppendRecord(DeleteRecord{run}, out);
  for (Pending& item : group) {
    // An Append may be overtaken by the newer session that replaces its own;
    // that one sends the rows again.
    item.dropped =
        item.session != nullptr && (item.session->failed.load() ||
                                    item.session->cut || item.session->ended);
    if (item.kind == Pending::Kind::kEnd) item.session->cut = true;
    if (item.dropped) continue;
    switch (item.kind) {
      case Pending::Kind::kBatch: {
        Lane& lane = *item.lane;
        if (item.assign_row) item.first_row = lane.assigned_row;
        lane.assigned_row = item.first_row + item.rows;
        AppendRecordHead(BatchRecord{.lane = lane.name,
                                     .schema = lane.schema->id,
                                     .attempt = item.attempt,
                                     .first_row = item.first_row,
                                     .rows = static_cast<uint32_t>(item.rows),
                                     .skip = item.skip,
                                     .received_ns = item.received_ns,
                                     .body = item.body.view()},
                         out);
        bodies_.emplace_back(out->size(), item.body.view());
        break;
      }
      case Pending::Kind::kVoid:
        item.lane->assigned_row = item.first_row + item.rows;
        AppendRecord(VoidRecord{.lane = item.lane->name,
                                .schema = item.lane->schema->id,
                                .first_row = item.first_row,
                                .rows = item.rows},
                     out);
        break;
      case Pending::Kind::kChanges:
        AppendChanges(item.changes, out);
        break;
      case Pending::Kind::kDelete:
        AppendRecord(DeleteRecord{item.run}, out);
        break;
      case Pending::Kind::kDuplicate:
      case Pending::Kind::kCloseLane:
      case Pending::Kind::kEnd:
        break;
    }
  }
}

absl::Status Committer::AppendToLog() {
  if (records_.empty()) return absl::OkStatus();
  const absl::string_view records = records_;
  pieces_.clear();
  size_t begin = 0;
  size_t bytes = records.size();
  for (const auto& [at, body] : bodies_) {
    pieces_.push_back(records.substr(begin, at - begin));
    pieces_.push_back(body);
    begin = at;
    bytes += body.size();
  }
  pieces_.push_back(records.substr(begin));
  absl::StatusOr<Position> position = log_->Append(pieces_);
  if (!position.ok()) return position.status();
  last_ = *position;
  groups_.fetch_add(1);
  bytes_.fetch_add(bytes);
  return absl::OkStatus();
}

void Committer::Apply(Group& group, Position position) {
  LiveState::Applier applier(state_, position);
  for (Change& change : carried_) {
    applier.Change(change.key, std::move(change.value));
  }
  for (const RunId run : carried_deletes_) applier.Delete(run);
  carried_.clear();
  carried_deletes_.clear();
  for (Pending& item : group) {
    if (item.dropped) continue;
    switch (item.kind) {
      case Pending::Kind::kBatch:
        batches_.fetch_add(1, std::memory_order_relaxed);
        applier.Batch(*item.lane,
                      HeadBatch{.body = std::move(item.body),
                                .received_ns = item.received_ns,
                                .rows = static_cast<uint32_t>(item.rows),
                                .skip = item.skip,
                                .attempt = item.attempt,
                                .has_step = item.has_step,
                                .has_time = item.has_time},
                      item.first_row + item.rows, item.values);
        break;
      case Pending::Kind::kVoid:
        applier.Void(*item.lane, item.first_row + item.rows);
        break;
      case Pending::Kind::kChanges:
        for (Change& change : item.changes) {
          applier.Change(change.key, std::move(change.value));
        }
        break;
      case Pending::Kind::kDelete:
        applier.Delete(item.run);
        break;
      case Pending::Kind::kDuplicate:
      case Pending::Kind::kCloseLane:
      case Pending::Kind::kEnd:
        break;
    }
  }
}

void Committer::Acknowledge(Group& group, Position position) {
  size_t bytes = 0;
  for (Pending& item : group) {
    bytes += item.body.size;
    SessionState* session = item.session.get();
    if (session != nullptr && !session->ended && !item.dropped &&
        item.kind != Pending::Kind::kEnd && item.lane != nullptr) {
      if (session->acked.empty()) touched_sessions_.push_back(session);
      const uint32_t number = item.lane->name.number;
      const uint64_t next_row = item.kind == Pending::Kind::kDuplicate
                                    ? item.lane->assigned_row
                                    : item.first_row + item.rows;
      if (!session->acked.empty() && session->acked.back().schema == number) {
        session->acked.back().next_row =
            std::max(session->acked.back().next_row, next_row);
      } else {
        session->acked.push_back({number, next_row});
      }
      session->acked_bytes += item.body.size;
    }
  }
  for (SessionState* session : touched_sessions_) {
    if (!session->failed.load()) {
      session->observer->OnDurable(session->acked, position,
                                   session->acked_bytes);
    }
    session->acked.clear();
    session->acked_bytes = 0;
  }
  touched_sessions_.clear();
  pending_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  for (Pending& item : group) {
    if (item.done) item.done(absl::OkStatus(), position);
    if (item.kind == Pending::Kind::kCloseLane) state_->CloseLane(item.lane);
    if (item.kind == Pending::Kind::kEnd) End(*item.session, item.status);
  }
}

void Committer::Fail(Group& group, const absl::Status& status) {
  size_t bytes = 0;
  for (Pending& item : group) {
    bytes += item.body.size;
    if (item.lane != nullptr) {
      item.lane->assigned_row = state_->next_row(*item.lane);
    }
    if (!item.with_rows) {
      std::move(item.changes.begin(), item.changes.end(),
                std::back_inserter(carried_));
    }
    if (item.kind == Pending::Kind::kDelete) {
      carried_deletes_.push_back(item.run);
    }
    if (item.kind == Pending::Kind::kCloseLane) {
      state_->CloseLane(item.lane);
    } else if (item.kind == Pending::Kind::kEnd) {
      End(*item.session, item.status);
    } else if (item.session != nullptr) {
      item.session->closed.store(true);
      item.session->failed.store(true);
      End(*item.session, status);
    }
    if (item.done) item.done(status, {});
  }
  pending_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
}

void Committer::End(SessionState& session, const absl::Status& status) {
  if (session.ended) return;
  session.ended = true;
  session.observer->OnEnded(status);
}

}  // namespace waterflow::storage
