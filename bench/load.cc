#include "bench/load.h"

#include <grpcpp/create_channel.h>

#include <algorithm>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/load_loop.h"
#include "bench/process.h"
#include "bench/stop.h"

namespace waterflow::bench {
namespace {

// Nothing on loopback takes this long unless it hangs.
constexpr absl::Duration kOpenTimeout = absl::Seconds(60);
constexpr absl::Duration kDrainTimeout = absl::Seconds(60);
// How many times the window that was asked for, where that is not enough.
constexpr int kLongestWindow = 4;

std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  // Each channel its own connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetMaxReceiveMessageSize(-1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(),
                                   arguments);
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

  absl::Status AwaitWindow();

  const LoadOptions& options_;
  const size_t streams_;
  const size_t loops_;
  Baton& baton_;
};

absl::Status Conductor::AwaitWindow() {
  const absl::Time end = absl::Now() + options_.window;
  const absl::Time last = absl::Now() + options_.window * kLongestWindow;
  absl::Time ask = end;
  return WaitUntil(options_.window * kLongestWindow + absl::Seconds(1),
                   "window", [&] {
                     if (absl::Now() < ask) return false;
                     ask += absl::Seconds(1);
                     return options_.enough == nullptr || absl::Now() >= last ||
                            options_.enough();
                   });
}

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
  const absl::StatusOr<OsCounters> before = options_.counters();
  if (!before.ok()) return before.status();
  const double client_before = OwnCpuSeconds();
  const int64_t start = MonotonicNs();
  baton_.phase = Phase::kMeasure;
  const absl::Status window =
      once ? WaitUntil(options_.window, "not all was acked",
                       [] { return false; })
           : AwaitWindow();
  if (!window.ok()) return window;
  const absl::StatusOr<OsCounters> after = options_.counters();
  if (!after.ok()) return after.status();
  result->seconds = static_cast<double>(MonotonicNs() - start) * 1e-9;
  result->spent = after->Since(*before);
  result->client_cpu_seconds = OwnCpuSeconds() - client_before;
  baton_.phase = Phase::kAfter;
  return WaitUntil(kDrainTimeout, "not all streams ended",
                   [] { return false; });
}

}  // namespace

void LoadResult::Add(const LoadResult& other) {
  seconds += other.seconds;
  spent.Add(other.spent);
  client_cpu_seconds += other.client_cpu_seconds;
  total_samples += other.total_samples;
  counts.Add(other.counts);
  open_ns.Merge(other.open_ns);
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
    loop->AddOpenTimes(&result.open_ns);
  }
  if (!led.ok()) return led;
  return result;
}

}  // namespace waterflow::bench
