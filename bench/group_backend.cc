#include "bench/group_backend.h"

#include <google/protobuf/io/coded_stream.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/time/clock.h"
#include "bench/stop.h"
#include "server/ingest_front.h"
#include "waterflow/v1/ingest.pb.h"

namespace waterflow::bench {
namespace {

using storage::LanePosition;

// Only the numbers that an ack needs; they come first in a batch.
std::optional<LanePosition> EndOfBatch(absl::string_view body) {
  google::protobuf::io::CodedInputStream in(
      reinterpret_cast<const uint8_t*>(body.data()),
      static_cast<int>(body.size()));
  LanePosition lane;
  uint64_t rows = 0;
  while (rows == 0) {
    const uint32_t field = in.ReadTag() >> 3;
    uint64_t value = 0;
    if (field == 0 || field > v1::Batch::kRowsFieldNumber ||
        !in.ReadVarint64(&value)) {
      return std::nullopt;
    }
    if (field == v1::Batch::kSchemaIdFieldNumber) {
      lane.schema = static_cast<uint32_t>(value);
    } else if (field == v1::Batch::kFirstRowFieldNumber) {
      lane.next_row = value;
    } else {
      rows = value;
    }
  }
  lane.next_row += rows;
  return lane;
}

}  // namespace

class GroupBackend::Session final : public storage::StreamSession {
 public:
  Session(GroupBackend* backend, storage::StreamOptions stream,
          std::shared_ptr<storage::StreamObserver> observer)
      : backend_(backend),
        stream_(std::move(stream)),
        observer_(std::move(observer)) {}

  const std::vector<LanePosition>& known_lanes() const override {
    return known_lanes_;
  }
  absl::Status DeclareSchema(uint32_t, std::vector<storage::Metric>) override {
    return absl::OkStatus();
  }
  std::optional<storage::Rejection> Append(storage::BatchBody body) override {
    const std::optional<LanePosition> lane = EndOfBatch(body.view());
    if (!lane.has_value()) {
      return storage::Rejection{
          .status = absl::InvalidArgumentError("a batch that cannot be read")};
    }
    const size_t size = body.size;
    const absl::Status taken = backend_->store_->Take(stream_, std::move(body));
    if (!taken.ok()) return storage::Rejection{.status = taken};
    backend_->Count(observer_, *lane, size, &group_, &slot_);
    return std::nullopt;
  }
  void Heartbeat(int64_t) override {}

 private:
  GroupBackend* const backend_;
  const storage::StreamOptions stream_;
  const std::shared_ptr<storage::StreamObserver> observer_;
  const std::vector<LanePosition> known_lanes_;
  uint64_t group_ = 0;
  size_t slot_ = 0;
};

GroupBackend::GroupBackend(std::unique_ptr<BatchStore> store,
                           GroupOptions options)
    : store_(std::move(store)), options_(options), thread_([this] { Run(); }) {}

GroupBackend::~GroupBackend() {
  {
    storage::MutexLock lock(&mutex_);
    stopping_ = true;
    wake_.NotifyOne();
  }
  thread_.join();
}

void GroupBackend::OpenStream(storage::StreamOptions options,
                              std::shared_ptr<storage::StreamObserver> observer,
                              OpenedCallback done) {
  done(
      std::make_unique<Session>(this, std::move(options), std::move(observer)));
}

void GroupBackend::Count(
    const std::shared_ptr<storage::StreamObserver>& observer, LanePosition lane,
    size_t bytes, uint64_t* group, size_t* slot) {
  pending_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  storage::MutexLock lock(&mutex_);
  const size_t before = group_bytes_;
  group_bytes_ += bytes;
  // Once to start the group's clock, once when it is full.
  if (before == 0 ||
      (before < options_.group_bytes && group_bytes_ >= options_.group_bytes)) {
    wake_.NotifyOne();
  }
  if (*group != group_) {
    *group = group_;
    *slot = entries_.size();
    entries_.emplace_back().observer = observer;
  }
  Entry& entry = entries_[*slot];
  entry.bytes += bytes;
  for (LanePosition& known : entry.lanes) {
    if (known.schema != lane.schema) continue;
    known = lane;
    return;
  }
  entry.lanes.push_back(lane);
}

void GroupBackend::AwaitGroup() {
  while (group_bytes_ == 0 && !stopping_) wake_.Wait(&mutex_);
  const absl::Time end = absl::Now() + options_.gather;
  while (group_bytes_ < options_.group_bytes && !stopping_) {
    const absl::Duration left = end - absl::Now();
    if (left <= absl::ZeroDuration()) break;
    wake_.WaitFor(&mutex_, left);
  }
}

void GroupBackend::Run() {
  std::vector<Entry> group;
  for (storage::Position position{1};; ++position.value) {
    size_t bytes = 0;
    {
      storage::MutexLock lock(&mutex_);
      AwaitGroup();
      if (group_bytes_ == 0) return;  // stopping
      group.swap(entries_);
      bytes = std::exchange(group_bytes_, 0);
      ++group_;
    }
    const absl::Status committed = store_->Commit();
    pending_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    for (const Entry& entry : group) {
      if (committed.ok()) {
        entry.observer->OnDurable(entry.lanes, position, entry.bytes);
      } else {
        entry.observer->OnEnded(committed);
      }
    }
    group.clear();
  }
}

absl::Status RunGroupServer(const GroupServerOptions& options) {
  auto store = MakeBatchStore(options.store, options.folder);
  if (!store.ok()) return store.status();
  GroupBackend backend(*std::move(store));
  auto front = server::IngestFront::Start({.listen = options.listen,
                                           .threads = options.threads,
                                           .ingest = nullptr,
                                           .services = {}},
                                          &backend);
  if (!front.ok()) return front.status();
  std::printf("%s on port %d, Ctrl-C ends it\n", options.store.c_str(),
              (*front)->port());
  std::fflush(stdout);
  if (!options.port_file.empty()) {
    // In one step, so that nobody reads half of it.
    const std::string unfinished = options.port_file + ".new";
    std::ofstream(unfinished) << (*front)->port() << "\n";
    std::error_code error;
    std::filesystem::rename(unfinished, options.port_file, error);
    if (error) return absl::InternalError(error.message());
  }
  WaitForStop();
  (*front)->Shutdown(absl::Seconds(5));
  return absl::OkStatus();
}

}  // namespace waterflow::bench
