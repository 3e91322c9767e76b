#include "bench/load.h"

#include <grpcpp/create_channel.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <queue>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/process.h"
#include "bench/stop.h"

namespace waterflow::bench {
namespace {

// Nothing on loopback takes this long unless it hangs.
constexpr absl::Duration kOpenTimeout = absl::Seconds(60);
constexpr absl::Duration kDrainTimeout = absl::Seconds(60);
// How late a loop may notice that the phase changed.
constexpr int64_t kPollNs = 20'000'000;

enum class Phase : uint8_t { kOpen, kWarmup, kMeasure, kAfter, kCancel };

// What the conductor and the loops tell each other.
struct Baton {
  std::atomic<Phase> phase{Phase::kOpen};
  std::atomic<uint32_t> ready_streams{0};
  std::atomic<uint32_t> finished_loops{0};
};

std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  // Each channel its own connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetMaxReceiveMessageSize(-1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(),
                                   arguments);
}

// One thread with its streams.
class LoadLoop {
 public:
  LoadLoop(const LoadOptions& options, Baton* baton)
      : options_(options), baton_(*baton) {}

  void AddStream(const std::vector<WorkerLoad>& workers, size_t worker,
                 std::shared_ptr<grpc::Channel> channel) {
    streams_.push_back(std::make_unique<LoadStream>(
        workers, worker, options_.shape != LoadShape::kOnce,
        options_.shape == LoadShape::kLive ? LoadStream::Pace::kOnDemand
                                           : LoadStream::Pace::kFlood,
        options_.max_in_flight_bytes, std::move(channel), &queue_, &counts_));
  }

  void Run();

  absl::Status status() const {
    for (const auto& stream : streams_) {
      if (!stream->status().ok()) return stream->status();
    }
    return absl::OkStatus();
  }
  // In the window; valid after Run.
  const LoadCounts& window() const { return window_; }
  uint64_t total_samples() const { return total_samples_; }

 private:
  void EnterPhase(Phase phase);
  void ScheduleLive();
  void FireDue(int64_t now);
  void WaitForEvents(int64_t now);

  struct NextDue {
    int64_t at_ns;
    int64_t period_start_ns;
    LoadStream* stream;
    bool operator>(const NextDue& other) const { return at_ns > other.at_ns; }
  };

  const LoadOptions& options_;
  Baton& baton_;
  grpc::CompletionQueue queue_;
  LoadCounts counts_;
  LoadCounts window_;
  uint64_t total_samples_ = 0;
  Phase phase_ = Phase::kOpen;
  bool draining_ = false;
  size_t ready_ = 0;
  size_t finished_ = 0;
  std::priority_queue<NextDue, std::vector<NextDue>, std::greater<>> due_;
  uint64_t jitter_ = 0x9e3779b97f4a7c15;
  std::vector<std::unique_ptr<LoadStream>> streams_;
};

void LoadLoop::EnterPhase(Phase phase) {
  const Phase before = std::exchange(phase_, phase);
  if (before == Phase::kOpen && options_.shape == LoadShape::kLive) {
    ScheduleLive();
  }
  if (phase == Phase::kMeasure && options_.shape != LoadShape::kOnce) {
    total_samples_ += counts_.samples;
    counts_ = LoadCounts();
  }
  if (before == Phase::kMeasure) {
    total_samples_ += counts_.samples;
    window_ = std::exchange(counts_, LoadCounts());
  }
  if (phase == Phase::kAfter || phase == Phase::kCancel) {
    draining_ = true;
    for (auto& stream : streams_) {
      if (stream->finished()) continue;
      phase == Phase::kAfter ? stream->Drain() : stream->Cancel();
    }
  }
}

// Spreads the streams over the period.
void LoadLoop::ScheduleLive() {
  const int64_t now = MonotonicNs();
  const int64_t period = absl::ToInt64Nanoseconds(options_.period);
  for (size_t i = 0; i < streams_.size(); ++i) {
    const int64_t at = now + period * static_cast<int64_t>(i) /
                                 static_cast<int64_t>(streams_.size());
    due_.push({at, at, streams_[i].get()});
  }
}

// Each stream's batches are a period apart, give or take a tenth of it.
void LoadLoop::FireDue(int64_t now) {
  const int64_t period = absl::ToInt64Nanoseconds(options_.period);
  while (!draining_ && !due_.empty() && due_.top().at_ns <= now) {
    NextDue next = due_.top();
    due_.pop();
    if (!next.stream->finished()) next.stream->Due(next.at_ns);
    jitter_ ^= jitter_ << 13;  // xorshift64
    jitter_ ^= jitter_ >> 7;
    jitter_ ^= jitter_ << 17;
    next.period_start_ns += period;
    next.at_ns =
        next.period_start_ns +
        static_cast<int64_t>(
            jitter_ % static_cast<uint64_t>(std::max<int64_t>(period / 5, 1))) -
        period / 10;
    due_.push(next);
  }
}

void LoadLoop::WaitForEvents(int64_t now) {
  int64_t wait = kPollNs;
  if (!draining_ && !due_.empty()) {
    wait = std::clamp<int64_t>(due_.top().at_ns - now, 0, wait);
  }
  const gpr_timespec deadline = gpr_time_add(
      gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(wait, GPR_TIMESPAN));
  void* raw = nullptr;
  bool ok = false;
  while (queue_.AsyncNext(&raw, &ok, deadline) ==
         grpc::CompletionQueue::GOT_EVENT) {
    const auto* tag = static_cast<LoadStream::Tag*>(raw);
    const bool was_ready = tag->stream->ready();
    tag->stream->Proceed(tag->step, ok);
    if (!was_ready && tag->stream->ready()) {
      ++ready_;
      baton_.ready_streams.fetch_add(1);
    }
    if (tag->stream->finished()) ++finished_;
    if (baton_.phase.load(std::memory_order_relaxed) != phase_) return;
    if (!due_.empty() && due_.top().at_ns <= MonotonicNs()) return;
  }
}

void LoadLoop::Run() {
  for (const auto& stream : streams_) stream->Start();
  while (finished_ < streams_.size()) {
    const Phase phase = baton_.phase.load();
    if (phase != phase_) EnterPhase(phase);
    if (options_.shape == LoadShape::kOnce && !draining_ &&
        std::all_of(streams_.begin(), streams_.end(),
                    [](const auto& s) { return s->all_acked(); })) {
      draining_ = true;
      for (auto& stream : streams_) stream->Drain();
    }
    const int64_t now = MonotonicNs();
    FireDue(now);
    WaitForEvents(now);
  }
  if (options_.shape == LoadShape::kOnce) window_ = counts_;
  total_samples_ += counts_.samples;
  baton_.finished_loops.fetch_add(1);
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

// Leads the loops from phase to phase and reads the clocks between them.
class Conductor {
 public:
  Conductor(const LoadOptions& options, size_t streams, size_t loops,
            Baton* baton)
      : options_(options), streams_(streams), loops_(loops), baton_(*baton) {}

  absl::Status Conduct(LoadResult* result);

 private:
  bool Over() const { return baton_.finished_loops.load() == loops_; }

  // Until `done` or until every loop is over.
  template <typename Condition>
  absl::Status WaitUntil(absl::Duration timeout, absl::string_view what,
                         Condition done) {
    const int64_t end = MonotonicNs() + absl::ToInt64Nanoseconds(timeout);
    while (!done() && !Over()) {
      if (MonotonicNs() > end) {
        return absl::UnavailableError(absl::StrCat("timeout: ", what));
      }
      if (!SleepUnlessStopped(absl::Milliseconds(5))) {
        return absl::CancelledError("stopped");
      }
    }
    return absl::OkStatus();
  }

  const LoadOptions& options_;
  const size_t streams_;
  const size_t loops_;
  Baton& baton_;
};

absl::Status Conductor::Conduct(LoadResult* result) {
  const bool once = options_.shape == LoadShape::kOnce;
  if (!once) {
    absl::Status opened =
        WaitUntil(kOpenTimeout, "not all streams opened",
                  [&] { return baton_.ready_streams.load() == streams_; });
    if (!opened.ok()) return opened;
    baton_.phase = Phase::kWarmup;
    absl::Status warm = WaitUntil(
        options_.warmup + absl::Seconds(1), "warm-up",
        [end = absl::Now() + options_.warmup] { return absl::Now() >= end; });
    if (!warm.ok()) return warm;
  }
  absl::StatusOr<double> server_before = options_.server_cpu();
  if (!server_before.ok()) return server_before.status();
  const double client_before = OwnCpuSeconds();
  const int64_t start = MonotonicNs();
  baton_.phase = Phase::kMeasure;
  absl::Status window =
      once ? WaitUntil(options_.window, "not all was acked",
                       [] { return false; })
           : WaitUntil(options_.window + absl::Seconds(1), "window",
                       [end = absl::Now() + options_.window] {
                         return absl::Now() >= end;
                       });
  if (!window.ok()) return window;
  absl::StatusOr<double> server_after = options_.server_cpu();
  if (!server_after.ok()) return server_after.status();
  result->seconds = static_cast<double>(MonotonicNs() - start) * 1e-9;
  result->server_cpu_seconds = *server_after - *server_before;
  result->client_cpu_seconds = OwnCpuSeconds() - client_before;
  baton_.phase = Phase::kAfter;
  return WaitUntil(kDrainTimeout, "not all streams ended",
                   [] { return false; });
}

}  // namespace

void LoadResult::Add(const LoadResult& other) {
  seconds += other.seconds;
  server_cpu_seconds += other.server_cpu_seconds;
  client_cpu_seconds += other.client_cpu_seconds;
  total_samples += other.total_samples;
  counts.Add(other.counts);
}

absl::StatusOr<LoadResult> RunLoad(const LoadOptions& options,
                                   const std::vector<WorkerLoad>& workers) {
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  const size_t connections =
      std::clamp<size_t>(options.connections, 1, workers.size());
  for (size_t i = 0; i < connections; ++i) {
    channels.push_back(Connect(options.address));
  }
  Baton baton;
  std::vector<std::unique_ptr<LoadLoop>> loops;
  const size_t threads = std::clamp<size_t>(options.threads, 1, connections);
  for (size_t i = 0; i < threads; ++i) {
    loops.push_back(std::make_unique<LoadLoop>(options, &baton));
  }
  // A connection belongs to one loop, and so do its streams.
  for (size_t i = 0; i < workers.size(); ++i) {
    const size_t connection = i % connections;
    loops[connection % threads]->AddStream(workers, i, channels[connection]);
  }
  std::vector<std::thread> running;
  for (auto& loop : loops) {
    running.emplace_back([&loop] { loop->Run(); });
  }
  LoadResult result;
  const absl::Status led =
      Conductor(options, workers.size(), loops.size(), &baton).Conduct(&result);
  if (!led.ok()) baton.phase = Phase::kCancel;
  for (std::thread& thread : running) thread.join();
  for (const auto& loop : loops) {
    absl::Status status = loop->status();
    // A stop cancels the streams; that is no fault of theirs.
    if (!status.ok() && led.ok()) return status;
    if (!status.ok() && !absl::IsCancelled(status)) return status;
    result.counts.Add(loop->window());
    result.total_samples += loop->total_samples();
  }
  if (!led.ok()) return led;
  return result;
}

}  // namespace waterflow::bench
