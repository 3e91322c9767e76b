// One thread of a load: its streams, the queue that drives them and, for live
// loads, the clock by which their batches fall due.
#ifndef WATERFLOW_BENCH_LOAD_LOOP_H_
#define WATERFLOW_BENCH_LOAD_LOOP_H_

#include <grpcpp/channel.h>
#include <grpcpp/completion_queue.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <vector>

#include "absl/status/status.h"
#include "bench/load.h"
#include "bench/load_stream.h"

namespace waterflow::bench {

// Where a load stands: the conductor moves it on, the loops follow.
enum class Phase : uint8_t { kOpen, kWarmup, kMeasure, kAfter, kCancel };

// What the conductor and the loops tell each other.
struct Baton {
  std::atomic<Phase> phase{Phase::kOpen};
  std::atomic<uint32_t> ready_streams{0};
  std::atomic<uint32_t> finished_loops{0};
};

// One thread with its streams.
class LoadLoop {
 public:
  LoadLoop(const LoadOptions& options, Baton* baton)
      : options_(options), baton_(*baton) {}

  // Before Run.
  void AddStream(const std::vector<WorkerLoad>& workers, size_t worker,
                 std::shared_ptr<grpc::Channel> channel);

  // Until all streams are finished.
  void Run();

  // ---- after Run ----
  // The first failure of a stream.
  absl::Status status() const;
  // What was acked in the window.
  const LoadCounts& window() const { return window_; }
  uint64_t total_samples() const { return total_samples_; }
  void AddOpenTimes(Histogram* open_ns) const;

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
  size_t finished_ = 0;
  std::priority_queue<NextDue, std::vector<NextDue>, std::greater<>> due_;
  uint64_t jitter_ = 0x9e3779b97f4a7c15;
  std::vector<std::unique_ptr<LoadStream>> streams_;
};

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_LOAD_LOOP_H_
