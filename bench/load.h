// Drives a server with many streams over real connections and measures it in a
// steady window: the streams share a few threads, so that the load leaves the
// machine to the server.
#ifndef WATERFLOW_BENCH_LOAD_H_
#define WATERFLOW_BENCH_LOAD_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bench/load_stream.h"

namespace waterflow::bench {

enum class LoadShape {
  kFlood,  // as fast as credit allows, for a while
  kLive,   // a batch per stream each period, whatever the server does
  kOnce,   // as fast as credit allows, each batch once
};

struct LoadOptions {
  std::string address;
  LoadShape shape = LoadShape::kFlood;
  uint32_t connections = 256;
  uint32_t threads = 1;
  // A stream has no more than this on its way, whatever credit it has.
  size_t max_in_flight_bytes = SIZE_MAX;
  absl::Duration warmup = absl::Seconds(3);
  absl::Duration window = absl::Seconds(60);
  absl::Duration period = absl::Milliseconds(50);  // kLive
  // CPU seconds of the server so far.
  std::function<absl::StatusOr<double>()> server_cpu;
};

// What happened in the window (kOnce: from first to last).
struct LoadResult {
  double seconds = 0;
  double server_cpu_seconds = 0;
  double client_cpu_seconds = 0;
  LoadCounts counts;
  uint64_t total_samples = 0;  // acked in all, also outside the window

  // As if both windows had been one.
  void Add(const LoadResult& other);
};

// CANCELLED when the user stops it, UNAVAILABLE when the server falls silent,
// else what a stream ended with.
absl::StatusOr<LoadResult> RunLoad(const LoadOptions& options,
                                   const std::vector<WorkerLoad>& workers);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_LOAD_H_
