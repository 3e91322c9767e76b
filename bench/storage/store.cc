#include "bench/storage/store.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <system_error>
#include <thread>
#include <utility>

namespace waterflow::bench {

class StoreWriter::Observer : public storage::StreamObserver {
 public:
  void OnDurable(absl::Span<const storage::LanePosition>, storage::Position,
                 size_t bytes) override {
    durable_bytes.fetch_add(bytes);
  }
  void OnEnded(absl::Status) override { ended.store(true); }

  std::atomic<size_t> durable_bytes{0};
  std::atomic<bool> ended{false};
};

StoreWriter::StoreWriter(storage::Engine* engine,
                         std::shared_ptr<Observer> observer,
                         std::unique_ptr<storage::StreamSession> session)
    : engine_(engine),
      observer_(std::move(observer)),
      session_(std::move(session)) {}

StoreWriter::~StoreWriter() = default;

absl::Status StoreWriter::Declare(uint32_t schema,
                                  const std::vector<std::string>& names) {
  std::vector<storage::Metric> metrics;
  for (const std::string& name : names) metrics.emplace_back().name = name;
  return session_->DeclareSchema(schema, std::move(metrics));
}

absl::Status StoreWriter::Append(const EncodedBatch& batch,
                                 const Shift& shift) {
  std::string message;
  AppendBatchHead(batch, shift, message);
  message.append(batch.columns);
  // The message is a Batch with the head of a StreamRequest before it.
  const size_t size = BatchSize(batch, shift);
  return Append(storage::BatchBody::Copy(
      absl::string_view(message).substr(message.size() - size)));
}

absl::Status StoreWriter::Append(storage::BatchBody body) {
  while (engine_->pending_bytes() > engine_->max_pending_bytes()) {
    if (observer_->ended) return absl::AbortedError("the session has ended");
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  const size_t size = body.size;
  auto refused = session_->Append(std::move(body));
  if (refused.has_value()) return refused->status;
  appended_bytes_ += size;
  return absl::OkStatus();
}

absl::Status StoreWriter::AwaitDurable() {
  while (observer_->durable_bytes < appended_bytes_) {
    if (observer_->ended) return absl::AbortedError("the session has ended");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Store>> Store::Open(
    const storage::EngineOptions& options) {
  absl::StatusOr<std::unique_ptr<storage::Engine>> engine =
      storage::Engine::Open(options);
  if (!engine.ok()) return engine.status();
  return std::unique_ptr<Store>(new Store(*std::move(engine)));
}

absl::StatusOr<storage::Uuid> Store::Run(const std::string& name) {
  const auto known = runs_.find(name);
  if (known != runs_.end()) return known->second;
  storage::CreateRunOptions options;
  options.name = name;
  auto run = engine_->CreateRun(std::move(options));
  if (!run.ok()) return run.status();
  return runs_[name] = run->first.id;
}

absl::StatusOr<std::unique_ptr<StoreWriter>> Store::OpenWriter(
    const WorkerRows& worker) {
  absl::StatusOr<storage::Uuid> run = Run(worker.run);
  if (!run.ok()) return run.status();
  storage::StreamOptions options;
  options.run = *run;
  options.worker.rank = worker.rank;
  options.stream.bytes[0] = 1;
  for (int i = 0; i < 4; ++i) {
    options.stream.bytes[1 + i] = static_cast<uint8_t>(worker.rank >> (8 * i));
  }
  auto observer = std::make_shared<StoreWriter::Observer>();
  std::promise<absl::StatusOr<std::unique_ptr<storage::StreamSession>>> opened;
  engine_->OpenStream(
      std::move(options), observer,
      [&opened](
          absl::StatusOr<std::unique_ptr<storage::StreamSession>> session) {
        opened.set_value(std::move(session));
      });
  auto session = opened.get_future().get();
  if (!session.ok()) return session.status();
  std::unique_ptr<StoreWriter> writer(
      new StoreWriter(engine_.get(), std::move(observer), *std::move(session)));
  for (uint32_t lane = 0; lane < worker.lanes.size(); ++lane) {
    absl::Status s = writer->Declare(lane, worker.lanes[lane].metrics);
    if (!s.ok()) return s;
  }
  return writer;
}

absl::StatusOr<uint64_t> Store::Feed(const Dataset& dataset,
                                     uint32_t batch_rows, uint32_t rounds,
                                     bool in_step) {
  struct Lane {
    StoreWriter* writer;
    std::vector<EncodedBatch> batches;
    Shift shift;  // of one round
  };
  std::vector<std::unique_ptr<StoreWriter>> writers;
  std::vector<Lane> lanes;
  size_t most_batches = 0;
  for (const WorkerRows& worker : dataset) {
    absl::StatusOr<std::unique_ptr<StoreWriter>> writer = OpenWriter(worker);
    if (!writer.ok()) return writer.status();
    for (uint32_t i = 0; i < worker.lanes.size(); ++i) {
      const LaneRows& rows = worker.lanes[i];
      Lane& lane = lanes.emplace_back();
      lane.writer = writer->get();
      lane.batches = EncodeLane(i, rows, batch_rows);
      lane.shift = {.row = rows.rows(),
                    .step = rows.steps.back() - rows.steps.front() + 1,
                    .time_ns = rows.times_ns.back() - rows.times_ns.front() +
                               1'000'000'000};
      most_batches = std::max(most_batches, lane.batches.size());
    }
    writers.push_back(*std::move(writer));
  }
  uint64_t values = 0;
  for (uint32_t round = 0; round < rounds; ++round) {
    for (size_t b = 0; b < most_batches; ++b) {
      for (Lane& lane : lanes) {
        if (b >= lane.batches.size()) continue;
        const Shift shift{.row = lane.shift.row * round,
                          .step = lane.shift.step * round,
                          .time_ns = lane.shift.time_ns * round};
        absl::Status s = lane.writer->Append(lane.batches[b], shift);
        if (!s.ok()) return s;
        values += lane.batches[b].values;
        fed_bytes_ += BatchSize(lane.batches[b], shift);
      }
      if (!in_step) continue;
      for (const auto& writer : writers) {
        if (absl::Status s = writer->AwaitDurable(); !s.ok()) return s;
      }
    }
  }
  for (const auto& writer : writers) {
    if (absl::Status s = writer->AwaitDurable(); !s.ok()) return s;
  }
  return values;
}

}  // namespace waterflow::bench
