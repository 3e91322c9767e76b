#include "storage/relay/relay_store.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/database/database.h"
#include "storage/format/bytes.h"
#include "storage/keep/periodic.h"
#include "storage/model/limits.h"
#include "storage/model/names.h"
#include "storage/relay/relay_committer.h"
#include "storage/relay/relay_session.h"
#include "storage/relay/relay_state.h"

namespace waterflow::storage {
namespace {

// Below data_dir, so that neither a server nor a relay takes the other's files
// for its own.
constexpr char kFolder[] = "/relay";

bool IsDatabase(const std::string& folder) {
  std::error_code error;
  return std::filesystem::exists(folder + "/CURRENT", error);
}

}  // namespace

bool RelayStore::IsIn(const std::string& data_dir) {
  return IsDatabase(data_dir + kFolder);
}

RelayStore::RelayStore(const RelayStoreOptions& options) : options_(options) {
  options_.engine.data_dir += kFolder;
  options_.engine.memory_limit_bytes =
      std::min(options_.engine.memory_limit_bytes, kMaxRelayMemoryBytes);
}

absl::StatusOr<std::unique_ptr<RelayStore>> RelayStore::Open(
    const RelayStoreOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(options.engine.data_dir, error);
  if (error) {
    return absl::FailedPreconditionError(absl::StrCat(
        "data directory ", options.engine.data_dir, ": ", error.message()));
  }
  if (IsDatabase(options.engine.data_dir)) {
    return absl::FailedPreconditionError(
        absl::StrCat("data directory ", options.engine.data_dir,
                     " holds a server's store: a relay needs one of its own"));
  }
  auto store = std::unique_ptr<RelayStore>(new RelayStore(options));
  absl::StatusOr<std::unique_ptr<Database>> database =
      Database::Open(store->options_.engine);
  if (!database.ok()) return database.status();
  store->database_ = *std::move(database);
  if (absl::Status s = store->CheckVersion(); !s.ok()) return s;
  store->state_ = std::make_unique<RelayState>();
  if (absl::Status s = store->state_->Load(*store->database_); !s.ok()) {
    return s;
  }
  uint64_t last = 0;
  {
    MutexLock lock(&store->state_->mutex);
    for (const auto& [number, stream] : store->state_->by_number) {
      last = std::max(last, stream->appended.position);
    }
  }
  store->committer_ = std::make_unique<RelayCommitter>(
      store->options_.engine, store->database_.get(), store->state_.get());
  store->committer_->Start(last);
  store->reclaim_ = std::make_unique<Periodic>();
  store->reclaim_->Start(options.reclaim_interval,
                         [s = store.get()] { s->GiveDiskBack(); });
  return store;
}

RelayStore::~RelayStore() {
  if (reclaim_ == nullptr) return;
  database_->db()->DisableManualCompaction();  // it may take minutes
  reclaim_->Stop();
}

void RelayStore::GiveDiskBack() const {
  constexpr uint64_t kLittle = uint64_t{16} << 20;
  uint64_t bytes = 0;
  const bool known = database_->db()->GetIntProperty(
      database_->family(Family::kLog),
      rocksdb::DB::Properties::kLiveSstFilesSize, &bytes);
  if (!known || bytes < kLittle || bytes / 2 < waiting_bytes()) return;
  // Failing costs space until the next time.
  database_->Reclaim(Family::kLog, "", std::string(13, '\xff')).IgnoreError();
}

absl::Status RelayStore::CheckVersion() {
  const absl::StatusOr<std::string> stored =
      database_->Get(Family::kMeta, kMetaRelayVersion);
  if (absl::IsNotFound(stored.status())) {
    std::string version;
    AppendFixed(kRelayVersion, &version);
    rocksdb::WriteBatch batch;
    batch.Put(database_->family(Family::kMeta), ToSlice(kMetaRelayVersion),
              version);
    return database_->Write(&batch, /*sync=*/true);
  }
  if (!stored.ok()) return stored.status();
  const uint32_t version = stored->size() == sizeof(uint32_t)
                               ? LoadFixed<uint32_t>(stored->data())
                               : 0;
  if (version == kRelayVersion) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("data directory ", database_->path(), " has relay version ",
                   version, "; this build reads version ", kRelayVersion));
}

size_t RelayStore::pending_bytes() const { return committer_->pending_bytes(); }

size_t RelayStore::max_pending_bytes() const {
  return std::max<size_t>(8 * options_.engine.group_bytes,
                          4 * kMaxMessageBytes);
}

void RelayStore::OpenStream(StreamOptions options,
                            std::shared_ptr<StreamObserver> observer,
                            OpenedCallback done) {
  for (absl::Status s :
       {CheckWorker(options.worker),
        CheckRelayRoom(*state_, *committer_, options_.disk_bytes)}) {
    if (s.ok()) continue;
    done(std::move(s));
    return;
  }
  const RelayIdentity identity{options.run, options.stream, options.worker};
  auto shared = std::make_shared<SessionState>(std::move(observer));
  RelayPending item;
  item.kind = RelayPending::Kind::kOpen;
  item.opening = {.attempt = options.attempt,
                  .resume_step = options.resume_step,
                  .world_size = options.world_size,
                  .client_time_ns = options.client_time_ns,
                  .received_ns = absl::GetCurrentTimeNanos()};
  MutexLock lock(&state_->mutex);
  std::shared_ptr<RelayStream>& stream = state_->streams[identity];
  if (stream == nullptr) {
    stream = std::make_shared<RelayStream>(state_->next_number++, identity);
    state_->by_number[stream->number] = stream;
  }
  if (stream->session != nullptr) {
    // What the older session has queued is committed before this one is open.
    committer_->Enqueue(RelayEndOf(
        stream, stream->session,
        absl::AbortedError("a newer session of this stream has taken over")));
  }
  stream->session = shared;
  item.stream = stream;
  item.done = [this, stream, shared, held = std::move(options.held),
               done = std::move(done)](const absl::Status& committed) {
    if (!committed.ok()) {
      {
        MutexLock forget(&state_->mutex);
        if (stream->session == shared) stream->session = nullptr;
      }
      done(committed);
      return;
    }
    std::vector<LanePosition> known;
    {
      MutexLock read(&state_->mutex);
      for (const auto& [schema, lane] : stream->lanes) {
        known.push_back({schema, lane.next_row});
      }
    }
    done(std::make_unique<RelaySession>(state_.get(), committer_.get(),
                                        options_.disk_bytes, stream, shared,
                                        held, std::move(known)));
  };
  committer_->Enqueue(std::move(item));
}

void RelayStore::SetWake(std::function<void()> wake) {
  state_->SetWake(std::move(wake));
}

std::vector<uint32_t> RelayStore::TakeNews() {
  MutexLock lock(&state_->mutex);
  const std::vector<uint32_t> news(state_->news.begin(), state_->news.end());
  state_->news.clear();
  return news;
}

std::optional<RelayStreamView> RelayStore::View(uint32_t number) const {
  MutexLock lock(&state_->mutex);
  const auto found = state_->by_number.find(number);
  if (found == state_->by_number.end() || !found->second->stored) {
    return std::nullopt;
  }
  const RelayStream& stream = *found->second;
  return RelayStreamView{
      .identity = stream.identity,
      .opening = stream.trimmed.opening,
      .announced = stream.trimmed.announced,
      .waiting = stream.appended.position > stream.trimmed.position,
      .live = stream.session != nullptr && !stream.session->closed.load(),
      .heartbeat_ns = stream.heartbeat_ns};
}

std::vector<LanePosition> RelayStore::Held(uint32_t number) const {
  std::vector<LanePosition> held;
  MutexLock lock(&state_->mutex);
  const auto found = state_->by_number.find(number);
  if (found == state_->by_number.end()) return held;
  for (const auto& [schema, lane] : found->second->lanes) {
    if (lane.forwarded_row > 0) held.push_back({schema, lane.forwarded_row});
  }
  return held;
}

std::shared_ptr<const std::vector<Metric>> RelayStore::Metrics(
    uint32_t number, uint32_t schema) const {
  MutexLock lock(&state_->mutex);
  const auto found = state_->by_number.find(number);
  if (found == state_->by_number.end()) return nullptr;
  const auto lane = found->second->lanes.find(schema);
  return lane == found->second->lanes.end() ? nullptr : lane->second.metrics;
}

absl::StatusOr<std::unique_ptr<RelayWindow>> RelayStore::Read(
    uint32_t number, uint64_t bytes) const {
  auto window = std::make_unique<RelayWindow>();
  uint64_t after = 0;
  uint64_t last = 0;
  {
    MutexLock lock(&state_->mutex);
    const auto found = state_->by_number.find(number);
    if (found == state_->by_number.end()) return window;
    after = found->second->trimmed.position;
    last = found->second->appended.position;
  }
  if (last <= after) return window;
  const std::string end = RelayLogKey(number, last + 1);
  const rocksdb::Slice bound(end);
  const auto it = database_->IterateOnce(Family::kLog);
  for (it->Seek(RelayLogKey(number, after + 1));
       it->Valid() && it->key().compare(bound) < 0 && window->bytes() < bytes;
       it->Next()) {
    ByteReader key(ToView(it->key()));
    key.BigEndian<uint32_t>();
    const uint64_t position = key.BigEndian<uint64_t>();
    const absl::StatusOr<bool> added =
        window->Add(position, it->value().ToString());
    if (!added.ok()) {
      return absl::DataLossError(absl::StrCat("entry ", position, " of stream ",
                                              number, ": ",
                                              added.status().message()));
    }
    if (!*added) break;
  }
  if (!it->status().ok()) return ToStatus(it->status(), "read the log");
  if (window->empty()) {
    return absl::DataLossError(absl::StrCat("stream ", number,
                                            " has no entry behind ", after,
                                            ", but one at ", last));
  }
  return window;
}

void RelayStore::Trim(uint32_t number, const RelayWindow& window) {
  RelayPending item;
  item.kind = RelayPending::Kind::kTrim;
  item.trim = std::make_unique<RelayTrim>();
  item.trim->positions = window.positions();
  item.trim->forwarded_rows = window.ends();
  RelayMark& mark = item.trim->mark;
  MutexLock lock(&state_->mutex);
  const auto found = state_->by_number.find(number);
  if (found == state_->by_number.end()) return;
  RelayStream& stream = *found->second;
  mark = stream.trimmed;
  mark.position = window.positions().back();
  mark.bytes += window.bytes();
  mark.rows += window.rows();
  if (window.kind() == RelayWindow::Kind::kOpening) {
    mark.opening = window.opening();
    mark.announced = false;
  } else if (window.kind() == RelayWindow::Kind::kRows) {
    mark.announced = true;
  }
  stream.trimmed = mark;
  for (const auto& [schema, row] : window.ends()) {
    stream.lanes.at(schema).forwarded_row = row;
  }
  state_->waiting_bytes.fetch_sub(window.bytes(), std::memory_order_relaxed);
  item.stream = found->second;
  committer_->Enqueue(std::move(item));
}

void RelayStore::Drop(const Uuid& run, const absl::Status& status) {
  MutexLock lock(&state_->mutex);
  for (auto it = state_->streams.begin(); it != state_->streams.end();) {
    const std::shared_ptr<RelayStream> stream = it->second;
    if (stream->identity.run != run) {
      ++it;
      continue;
    }
    if (stream->session != nullptr) {
      committer_->Enqueue(
          RelayEndOf(stream, std::exchange(stream->session, nullptr), status));
    }
    RelayPending drop;
    drop.kind = RelayPending::Kind::kDrop;
    drop.stream = stream;
    committer_->Enqueue(std::move(drop));
    stream->dropped = true;
    state_->waiting_bytes.fetch_sub(stream->waiting_bytes(),
                                    std::memory_order_relaxed);
    state_->by_number.erase(stream->number);
    state_->news.erase(stream->number);
    it = state_->streams.erase(it);
  }
}

uint64_t RelayStore::waiting_bytes() const {
  return state_->waiting_bytes.load(std::memory_order_relaxed);
}

RelayStats RelayStore::Stats() const {
  RelayStats stats{.disk_limit_bytes = options_.disk_bytes};
  std::vector<std::pair<uint32_t, uint64_t>> waiting;
  {
    MutexLock lock(&state_->mutex);
    for (const auto& [number, stream] : state_->by_number) {
      ++stats.streams;
      if (stream->session != nullptr) ++stats.open_streams;
      if (stream->appended.position == stream->trimmed.position) continue;
      ++stats.waiting_streams;
      stats.waiting_rows += stream->waiting_rows();
      stats.waiting_bytes += stream->waiting_bytes();
      waiting.emplace_back(number, stream->trimmed.position);
    }
  }
  const auto it = database_->IterateOnce(Family::kLog);
  for (const auto& [number, after] : waiting) {
    it->Seek(RelayLogKey(number, after + 1));
    if (!it->Valid()) continue;
    absl::string_view entry = ToView(it->value());
    const absl::StatusOr<RelayRecord> first = TakeRelayRecord(&entry);
    if (!first.ok()) continue;
    int64_t received_ns = 0;
    if (const auto* batch = std::get_if<RelayBatchRecord>(&*first)) {
      received_ns = batch->received_ns;
    } else if (const auto* opening = std::get_if<RelayOpening>(&*first)) {
      received_ns = opening->received_ns;
    }
    if (received_ns != 0 &&
        (stats.oldest_ns == 0 || received_ns < stats.oldest_ns)) {
      stats.oldest_ns = received_ns;
    }
  }
  const DiskBytes disk = database_->disk_bytes();
  stats.sst_bytes = disk.sst;
  stats.wal_bytes = disk.wal;
  return stats;
}

}  // namespace waterflow::storage
