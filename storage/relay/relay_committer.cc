#include "storage/relay/relay_committer.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/time/time.h"

namespace waterflow::storage {
namespace {

using Kind = RelayPending::Kind;

// As the engine's committer: after a group of fewer items nobody else is about
// to come, and a lone worker waits for one sync only.
constexpr size_t kWorthGathering = 8;

bool MovesLane(Kind kind) {
  return kind == Kind::kBatch || kind == Kind::kRefused || kind == Kind::kLost;
}

// Nobody waits for it: what a power cut brings back is sent again, and the
// upstream drops it.
bool IsTrim(const RelayPending& item) { return item.kind == Kind::kTrim; }

}  // namespace

RelayCommitter::RelayCommitter(const EngineOptions& options, Database* database,
                               RelayState* state)
    : options_(options),
      database_(database),
      state_(state),
      reserve_(database, options.disk_reserve_bytes) {}

RelayCommitter::~RelayCommitter() { Stop(); }

void RelayCommitter::Start(uint64_t last) {
  position_ = last;
  thread_ = std::thread([this] { Run(); });
}

void RelayCommitter::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    wake_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void RelayCommitter::Enqueue(RelayPending item) {
  const size_t bytes = item.body.size;
  pending_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  {
    MutexLock lock(&mutex_);
    if (!stopped_) {
      const bool was_empty = queue_.empty();
      const bool was_full = queue_bytes_ >= options_.group_bytes;
      queue_bytes_ += bytes;
      queue_.push_back(std::move(item));
      if (was_empty || (!was_full && queue_bytes_ >= options_.group_bytes)) {
        wake_.NotifyOne();
      }
      return;
    }
  }
  pending_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  if (item.done) item.done(absl::UnavailableError("the relay is closing"));
}

void RelayCommitter::Run() {
  Group group;
  while (Gather(&group)) {
    Commit(group);
    group.clear();
  }
}

bool RelayCommitter::Gather(Group* group) {
  if (backlog_at_ == backlog_.size()) {
    backlog_.clear();
    backlog_at_ = 0;
    const absl::Duration gather =
        options_.sync == SyncPolicy::kInterval
            ? std::max(options_.gather, options_.sync_interval)
            : options_.gather;
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
          gather - absl::FromChrono(std::chrono::steady_clock::now() - begin);
      if (rest <= absl::ZeroDuration() || !wake_.WaitFor(&mutex_, rest)) break;
    }
    backlog_.swap(queue_);
    queue_bytes_ = 0;
  }
  size_t bytes = 0;
  while (backlog_at_ < backlog_.size()) {
    RelayPending& item = backlog_[backlog_at_];
    if (bytes > 0 && bytes + item.body.size > options_.group_bytes) break;
    bytes += item.body.size;
    group->push_back(std::move(item));
    ++backlog_at_;
  }
  last_group_items_ = group->size();
  return true;
}

void RelayCommitter::Commit(Group& group) {
  const uint64_t position_before = position_;
  if (absl::Status s = Write(group); !s.ok()) {
    position_ = position_before;
    // Whatever the cause, the remedy is the same: keep it, try again.
    Fail(group, absl::ResourceExhaustedError(s.message()));
    return;
  }
  carried_.clear();
  Apply(group);
  Acknowledge(group);
  if (std::any_of(group.begin(), group.end(), IsTrim)) {
    database_->FlushLogBehindTrim();
  }
  if (!std::all_of(group.begin(), group.end(), IsTrim)) state_->Wake();
}

absl::Status RelayCommitter::Write(Group& group) {
  batch_.Clear();
  additions_.clear();
  addition_of_.clear();
  const bool has_rows = std::any_of(
      group.begin(), group.end(),
      [](const RelayPending& item) { return item.kind == Kind::kBatch; });
  if (has_rows) {
    if (absl::Status s = reserve_.Check(); !s.ok()) return s;
  }
  for (const RelayPending& item : carried_) Encode(item);
  for (RelayPending& item : group) {
    // An Append may be overtaken by the newer session that replaces its own;
    // that one sends the rows again.
    item.left_out =
        item.session != nullptr && (item.session->failed.load() ||
                                    item.session->cut || item.session->ended);
    if (item.kind == Kind::kEnd) item.session->cut = true;
    if (!item.left_out) Encode(item);
  }
  rocksdb::ColumnFamilyHandle* const catalog =
      database_->family(Family::kCatalog);
  for (Addition& addition : additions_) {
    if (addition.dropped) continue;
    EndEntry(&addition);
    const uint32_t number = addition.stream->number;
    batch_.Put(catalog, RelayCatalogKey(RelayKey::kAppended, number),
               EncodeRelayMark(addition.mark));
    for (const auto& [schema, row] : addition.next_rows) {
      batch_.Put(catalog, RelayCatalogKey(RelayKey::kNextRow, number, schema),
                 EncodeRelayRow(row));
    }
  }
  if (batch_.Count() == 0) return absl::OkStatus();
  // After a failure; else it does nothing.
  if (absl::Status s = database_->Resume(); !s.ok()) return s;
  database_->Reach("relay:before_commit");
  const bool sync = options_.sync != SyncPolicy::kOff &&
                    !std::all_of(group.begin(), group.end(), IsTrim);
  if (absl::Status s = database_->Write(&batch_, sync); !s.ok()) return s;
  database_->Reach("relay:after_commit");
  return absl::OkStatus();
}

RelayCommitter::Addition& RelayCommitter::AdditionTo(
    const std::shared_ptr<RelayStream>& stream) {
  const auto [it, is_new] =
      addition_of_.emplace(stream.get(), additions_.size());
  if (is_new) {
    Addition& addition = additions_.emplace_back();
    addition.stream = stream;
    addition.mark = stream->appended;
  }
  return additions_[it->second];
}

void RelayCommitter::EndEntry(Addition* addition) {
  if (addition->entry.empty()) return;
  addition->mark.position = ++position_;
  addition->mark.bytes += RelayEntryBytes(addition->entry.size());
  batch_.Put(database_->family(Family::kLog),
             RelayLogKey(addition->stream->number, position_), addition->entry);
  addition->entry.clear();
}

void RelayCommitter::EncodeTrim(const RelayStream& stream,
                                const RelayTrim& trim) {
  rocksdb::ColumnFamilyHandle* const catalog =
      database_->family(Family::kCatalog);
  for (const uint64_t position : trim.positions) {
    batch_.Delete(database_->family(Family::kLog),
                  RelayLogKey(stream.number, position));
  }
  batch_.Put(catalog, RelayCatalogKey(RelayKey::kTrimmed, stream.number),
             EncodeRelayMark(trim.mark));
  for (const auto& [schema, row] : trim.forwarded_rows) {
    batch_.Put(catalog,
               RelayCatalogKey(RelayKey::kForwardedRow, stream.number, schema),
               EncodeRelayRow(row));
  }
}

void RelayCommitter::EncodeDrop(const RelayStream& stream) {
  rocksdb::ColumnFamilyHandle* const catalog =
      database_->family(Family::kCatalog);
  batch_.DeleteRange(database_->family(Family::kLog),
                     RelayLogKey(stream.number, 0),
                     RelayLogKey(stream.number + 1, 0));
  for (const RelayKey kind : kRelayKeys) {
    batch_.DeleteRange(catalog, RelayCatalogKey(kind, stream.number),
                       RelayCatalogKey(kind, stream.number + 1));
  }
}

void RelayCommitter::Encode(const RelayPending& item) {
  if (item.kind == Kind::kDuplicate || item.kind == Kind::kEnd) return;
  if (item.kind == Kind::kTrim) {
    EncodeTrim(*item.stream, *item.trim);
    return;
  }
  rocksdb::ColumnFamilyHandle* const catalog =
      database_->family(Family::kCatalog);
  const RelayStream& stream = *item.stream;
  Addition& addition = AdditionTo(item.stream);
  if (addition.dropped) return;
  switch (item.kind) {
    case Kind::kOpen:
      if (!stream.stored) {
        addition.mark.opening = item.opening;
        batch_.Put(catalog, RelayCatalogKey(RelayKey::kStream, stream.number),
                   EncodeRelayIdentity(stream.identity));
        batch_.Put(catalog, RelayCatalogKey(RelayKey::kTrimmed, stream.number),
                   EncodeRelayMark(addition.mark));
      } else if (!addition.mark.opening.SameAttempt(item.opening)) {
        EndEntry(&addition);
        addition.mark.opening = item.opening;
        AppendRelayRecord(item.opening, &addition.entry);
        EndEntry(&addition);
      }
      break;
    case Kind::kSchema:
      batch_.Put(
          catalog,
          RelayCatalogKey(RelayKey::kMetrics, stream.number, item.schema),
          EncodeRelayMetrics(*item.lane->metrics));
      break;
    case Kind::kBatch:
      AppendRelayRecord(
          RelayBatchRecord{.schema = item.schema,
                           .first_row = item.first_row,
                           .rows = static_cast<uint32_t>(item.rows),
                           .skip = item.skip,
                           .received_ns = item.received_ns,
                           .body = item.body.view()},
          &addition.entry);
      addition.mark.rows += item.rows - item.skip;
      addition.next_rows[item.schema] = item.first_row + item.rows;
      break;
    case Kind::kRefused:
      AppendRelayRecord(
          RelayRefusedRecord{item.schema, item.first_row, item.rows},
          &addition.entry);
      addition.next_rows[item.schema] = item.first_row + item.rows;
      break;
    case Kind::kLost:
      EndEntry(&addition);
      AppendRelayRecord(RelayLostRecord{item.schema, item.first_row, item.rows},
                        &addition.entry);
      EndEntry(&addition);
      addition.next_rows[item.schema] = item.first_row + item.rows;
      break;
    case Kind::kDrop:
      addition.dropped = true;
      EncodeDrop(stream);
      break;
    case Kind::kDuplicate:
    case Kind::kEnd:
    case Kind::kTrim:
      break;
  }
}

void RelayCommitter::Apply(const Group& group) {
  MutexLock lock(&state_->mutex);
  for (const RelayPending& item : group) {
    if (item.left_out) continue;
    if (item.kind == Kind::kOpen && !item.stream->stored) {
      item.stream->stored = true;
      item.stream->trimmed.opening = item.opening;
    }
    if (item.kind == Kind::kSchema) {
      item.lane->stored = true;
    }
  }
  for (const Addition& addition : additions_) {
    RelayStream& stream = *addition.stream;
    const uint64_t added = addition.mark.bytes - stream.appended.bytes;
    stream.appended = addition.mark;
    for (const auto& [schema, row] : addition.next_rows) {
      stream.lanes.at(schema).next_row = row;
    }
    if (stream.dropped) continue;
    state_->waiting_bytes.fetch_add(added, std::memory_order_relaxed);
    state_->news.insert(stream.number);
  }
}

void RelayCommitter::Acknowledge(Group& group) {
  size_t bytes = 0;
  for (RelayPending& item : group) {
    bytes += item.body.size;
    SessionState* const session = item.session.get();
    if (session == nullptr || session->ended || item.left_out ||
        !(MovesLane(item.kind) || item.kind == Kind::kDuplicate)) {
      continue;
    }
    if (session->acked.empty()) touched_sessions_.push_back(session);
    // What the duplicate repeats was queued before it.
    const uint64_t next_row = item.kind == Kind::kDuplicate
                                  ? item.lane->next_row
                                  : item.first_row + item.rows;
    if (!session->acked.empty() &&
        session->acked.back().schema == item.schema) {
      session->acked.back().next_row =
          std::max(session->acked.back().next_row, next_row);
    } else {
      session->acked.push_back({item.schema, next_row});
    }
    session->acked_bytes += item.body.size;
  }
  for (SessionState* const session : touched_sessions_) {
    // No position: one of this log says nothing to who reads at the upstream.
    if (!session->failed.load()) {
      session->observer->OnDurable(session->acked, Position{},
                                   session->acked_bytes);
    }
    session->acked.clear();
    session->acked_bytes = 0;
  }
  touched_sessions_.clear();
  pending_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  for (RelayPending& item : group) {
    if (item.done) item.done(absl::OkStatus());
    if (item.kind == Kind::kEnd) End(*item.session, item.status);
  }
}

void RelayCommitter::Fail(Group& group, const absl::Status& status) {
  size_t bytes = 0;
  for (RelayPending& item : group) {
    bytes += item.body.size;
    if (item.kind == Kind::kEnd) {
      End(*item.session, item.status);
    } else if (item.session != nullptr) {
      item.session->closed.store(true);
      item.session->failed.store(true);
      End(*item.session, status);
    }
    if (item.done) item.done(status);
    if (item.kind == Kind::kTrim || item.kind == Kind::kDrop) {
      carried_.push_back(std::move(item));
    }
  }
  pending_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
}

void RelayCommitter::End(SessionState& session, const absl::Status& status) {
  if (session.ended) return;
  session.ended = true;
  session.observer->OnEnded(status);
}

}  // namespace waterflow::storage
