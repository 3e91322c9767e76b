#include "bench/sink.h"

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

class CountingBackend::Session final : public storage::StreamSession {
 public:
  Session(CountingBackend* backend,
          std::shared_ptr<storage::StreamObserver> observer)
      : backend_(backend), observer_(std::move(observer)) {}

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
          .status = absl::InvalidArgumentError("the sink cannot read a batch")};
    }
    backend_->Count(observer_, *lane, body.size, &group_, &slot_);
    return std::nullopt;
  }
  void Heartbeat(int64_t) override {}

 private:
  CountingBackend* const backend_;
  const std::shared_ptr<storage::StreamObserver> observer_;
  const std::vector<LanePosition> known_lanes_;
  uint64_t group_ = 0;
  size_t slot_ = 0;
};

CountingBackend::CountingBackend(SinkOptions options)
    : options_(options), thread_([this] { Run(); }) {}

CountingBackend::~CountingBackend() {
  {
    storage::MutexLock lock(&mutex_);
    stopping_ = true;
    wake_.NotifyOne();
  }
  thread_.join();
}

void CountingBackend::OpenStream(
    storage::StreamOptions /*options*/,
    std::shared_ptr<storage::StreamObserver> observer, OpenedCallback done) {
  done(std::make_unique<Session>(this, std::move(observer)));
}

void CountingBackend::Count(
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

void CountingBackend::AwaitGroup() {
  while (group_bytes_ == 0 && !stopping_) wake_.Wait(&mutex_);
  const absl::Time end = absl::Now() + options_.gather;
  while (group_bytes_ < options_.group_bytes && !stopping_) {
    const absl::Duration left = end - absl::Now();
    if (left <= absl::ZeroDuration()) break;
    wake_.WaitFor(&mutex_, left);
  }
}

void CountingBackend::Run() {
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
    pending_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    for (const Entry& entry : group) {
      entry.observer->OnDurable(entry.lanes, position, entry.bytes);
    }
    group.clear();
  }
}

absl::Status RunSink(const std::string& listen, int threads,
                     const std::string& port_file) {
  CountingBackend backend;
  auto front = server::IngestFront::Start(
      {.listen = listen, .threads = threads, .ingest = nullptr, .services = {}},
      &backend);
  if (!front.ok()) return front.status();
  std::printf("sink on port %d, Ctrl-C ends it\n", (*front)->port());
  std::fflush(stdout);
  if (!port_file.empty()) {
    // In one step, so that nobody reads half of it.
    const std::string unfinished = port_file + ".new";
    std::ofstream(unfinished) << (*front)->port() << "\n";
    std::error_code error;
    std::filesystem::rename(unfinished, port_file, error);
    if (error) return absl::InternalError(error.message());
  }
  WaitForStop();
  (*front)->Shutdown(absl::Seconds(5));
  return absl::OkStatus();
}

}  // namespace waterflow::bench
