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
#include "bench/os_counters.h"

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
  // The window goes on until this says so, to four times its length at most.
  // Null: it does not.
  std::function<bool()> enough;
  absl::Duration period = absl::Milliseconds(50);  // kLive
  // kLive: the part of the period that the streams are spread over. 0: they all
  // send at once, as after a barrier.
  double spread = 1;
  // What was spent so far, by the server's own CPU and by the machine.
  std::function<absl::StatusOr<OsCounters>()> counters;
  // Streams take ids of this number, so that another load with the same one
  // resumes them. 0: new ones.
  uint64_t stream_ids = 0;
};

// What happened in the window (kOnce: from first to last).
struct LoadResult {
  double seconds = 0;
  OsCounters spent;
  double client_cpu_seconds = 0;
  LoadCounts counts;
  Histogram open_ns;           // of each stream, from its call to Opened
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
