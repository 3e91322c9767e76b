#include "bench/query/beside.h"

#include <grpcpp/client_context.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "bench/histogram.h"
#include "bench/load.h"
#include "bench/target.h"
#include "bench/w1.h"
#include "bench/worker_load.h"
#include "storage/model/mutex.h"
#include "waterflow/v1/ingest.grpc.pb.h"
#include "waterflow/v1/query.grpc.pb.h"

namespace waterflow::bench {
namespace {

constexpr int kDashboards = 8;
constexpr absl::Duration kRefresh = absl::Seconds(2);
constexpr int kCharts = 4;
constexpr uint32_t kChartPoints = 400;
constexpr uint32_t kFloodRows = 64;
constexpr uint32_t kConnections = 4;
constexpr size_t kInFlightBytes = size_t{256} << 10;
constexpr absl::Duration kRowPeriod = absl::Milliseconds(50);
constexpr std::chrono::seconds kCallTimeout(60);
constexpr char kFollowed[] = "followed";

absl::Status FromGrpc(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      status.error_message());
}

// Everything that reads beside the flood, in threads of its own.
class Readers {
 public:
  // Charts are of `run`; the worker that is followed writes to `followed_run`.
  Readers(std::shared_ptr<grpc::Channel> channel, std::string run,
          std::string followed_run)
      : channel_(std::move(channel)),
        run_(std::move(run)),
        followed_run_(std::move(followed_run)) {
    for (int i = 0; i < kDashboards; ++i) {
      threads_.emplace_back([this, i] { Note(Refresh(i)); });
    }
    threads_.emplace_back([this] { Note(Follow()); });
    threads_.emplace_back([this] { Note(WriteRows()); });
  }
  ~Readers() { Stop().IgnoreError(); }

  // Returns the first thing that went wrong.
  absl::Status Stop();
  void Report(BesideResult* result);

 private:
  absl::Status Refresh(int dashboard);
  absl::Status Follow();
  absl::Status WriteRows();
  void Note(const absl::Status& status);
  // False when it is time to end.
  bool Sleep(absl::Duration duration);

  const std::shared_ptr<grpc::Channel> channel_;
  const std::string run_;
  const std::string followed_run_;
  std::atomic<bool> ending_ = false;
  grpc::ClientContext tail_context_;
  storage::Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  Histogram chart_ns_ ABSL_GUARDED_BY(mutex_);
  Histogram tail_ns_ ABSL_GUARDED_BY(mutex_);
  // When each row was acked, and when it came; 0: not yet.
  std::vector<std::pair<int64_t, int64_t>> rows_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

void Readers::Note(const absl::Status& status) {
  if (status.ok() || ending_) return;
  const storage::MutexLock lock(&mutex_);
  status_.Update(status);
}

bool Readers::Sleep(absl::Duration duration) {
  const absl::Time end = absl::Now() + duration;
  while (!ending_ && absl::Now() < end) {
    absl::SleepFor(std::min(absl::Milliseconds(20), end - absl::Now()));
  }
  return !ending_;
}

absl::Status Readers::Refresh(int dashboard) {
  const auto stub = v1::Query::NewStub(channel_);
  const std::vector<std::string> metrics = W1Names(100);
  // Not all in the same moment.
  if (!Sleep(kRefresh * dashboard / kDashboards)) return absl::OkStatus();
  do {
    for (int chart = 0; chart < kCharts && !ending_; ++chart) {
      v1::ReadRequest request;
      request.add_run_ids(run_);
      request.add_metrics(metrics[(dashboard * kCharts + chart) * 3]);
      request.set_max_points(kChartPoints);
      request.set_reduction(v1::REDUCTION_MEAN);
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
      const int64_t start = MonotonicNs();
      const auto reader = stub->Read(&context, request);
      v1::ReadResponse response;
      while (reader->Read(&response)) {
      }
      const grpc::Status status = reader->Finish();
      // The flood's first rows may not be there yet.
      if (status.error_code() == grpc::StatusCode::NOT_FOUND) continue;
      if (!status.ok()) return FromGrpc(status);
      const storage::MutexLock lock(&mutex_);
      chart_ns_.Add(static_cast<uint64_t>(MonotonicNs() - start));
    }
  } while (Sleep(kRefresh));
  return absl::OkStatus();
}

absl::Status Readers::Follow() {
  const auto stub = v1::Query::NewStub(channel_);
  v1::TailRequest request;
  request.add_run_ids(followed_run_);
  request.add_metrics(kFollowed);
  const auto reader = stub->Tail(&tail_context_, request);
  v1::TailResponse response;
  while (reader->Read(&response)) {
    const int64_t now = MonotonicNs();
    const storage::MutexLock lock(&mutex_);
    for (const v1::TailPart& part : response.parts()) {
      for (const int64_t step : part.series().steps()) {
        if (static_cast<size_t>(step) >= rows_.size()) rows_.resize(step + 1);
        rows_[step].second = now;
      }
    }
  }
  return FromGrpc(reader->Finish());
}

absl::Status Readers::WriteRows() {
  const auto stub = v1::Ingest::NewStub(channel_);
  for (int64_t step = 0; Sleep(kRowPeriod); ++step) {
    v1::WriteRequest request;
    request.set_run_id(followed_run_);
    v1::Point* point = request.add_points();
    point->set_metric(kFollowed);
    point->set_step(step);
    point->set_value(static_cast<double>(step));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
    v1::WriteResponse response;
    const grpc::Status status = stub->Write(&context, request, &response);
    if (!status.ok()) return FromGrpc(status);
    const storage::MutexLock lock(&mutex_);
    if (static_cast<size_t>(step) >= rows_.size()) rows_.resize(step + 1);
    rows_[step].first = MonotonicNs();
  }
  return absl::OkStatus();
}

absl::Status Readers::Stop() {
  // The last row may still be on its way to its subscriber.
  if (!ending_.exchange(true)) absl::SleepFor(absl::Seconds(1));
  tail_context_.TryCancel();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  const storage::MutexLock lock(&mutex_);
  return status_;
}

void Readers::Report(BesideResult* result) {
  const storage::MutexLock lock(&mutex_);
  const auto ms = [](const Histogram& h, double fraction) {
    return static_cast<double>(h.Percentile(fraction)) * 1e-6;
  };
  for (const auto& [acked, came] : rows_) {
    if (acked == 0) continue;
    // One that came before its writer knew counts as no time; one that never
    // came as more than any limit.
    tail_ns_.Add(
        came == 0 ? static_cast<uint64_t>(1e12)
                  : static_cast<uint64_t>(std::max<int64_t>(0, came - acked)));
  }
  result->charts = chart_ns_.count();
  result->chart_p50_ms = ms(chart_ns_, 0.5);
  result->chart_p99_ms = ms(chart_ns_, 0.99);
  result->tailed_rows = tail_ns_.count();
  result->tail_p50_ms = ms(tail_ns_, 0.5);
  result->tail_p99_ms = ms(tail_ns_, 0.99);
}

// A flood on a fresh server, with readers beside it or without; samples/s.
absl::StatusOr<double> Flood(const PeerOptions& options, const Dataset& w1,
                             absl::Duration duration, bool with_readers,
                             BesideResult* result) {
  auto target =
      Target::Start(WaterflowdCommand(options.waterflowd, options.sync,
                                      /*threads=*/1, options.server_flags),
                    options.scratch);
  if (!target.ok()) return target.status();
  const absl::StatusOr<std::string> run = (*target)->CreateRun("w1");
  if (!run.ok()) return run.status();
  const absl::StatusOr<std::string> followed = (*target)->CreateRun("followed");
  if (!followed.ok()) return followed.status();
  const std::vector<WorkerLoad> workers =
      EncodeWorkers(w1, kFloodRows, {{"w1", *run}});
  LoadOptions load;
  load.address = (*target)->address();
  load.connections = kConnections;
  load.max_in_flight_bytes = kInFlightBytes;
  load.window = duration;
  load.warmup = std::min(absl::Seconds(3), duration);
  load.counters = [&target]() -> absl::StatusOr<OsCounters> {
    const absl::StatusOr<ProcessUsage> usage = (*target)->Usage();
    if (!usage.ok()) return usage.status();
    return OsCounters{.server_cpu_seconds = usage->cpu_seconds};
  };
  std::unique_ptr<Readers> readers;
  if (with_readers) {
    readers = std::make_unique<Readers>((*target)->channel(), *run, *followed);
  }
  const absl::StatusOr<LoadResult> flood = RunLoad(load, workers);
  if (readers != nullptr) {
    const absl::Status read = readers->Stop();
    if (!read.ok()) return read;
    readers->Report(result);
  }
  if (!flood.ok()) return flood.status();
  return static_cast<double>(flood->counts.samples) / flood->seconds;
}

}  // namespace

absl::StatusOr<BesideResult> RunBeside(const PeerOptions& options,
                                       absl::Duration duration) {
  BesideResult result;
  const Dataset w1 = MakeW1({});
  for (const bool with_readers : {false, true}) {
    std::cerr << "ingest " << (with_readers ? "beside dashboards" : "alone")
              << " ..." << std::endl;
    const absl::StatusOr<double> rate =
        Flood(options, w1, duration, with_readers, &result);
    if (!rate.ok()) return rate.status();
    (with_readers ? result.with_dashboards_samples_per_s
                  : result.alone_samples_per_s) = *rate;
  }
  return result;
}

}  // namespace waterflow::bench
