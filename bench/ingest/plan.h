// Runs the shapes of load on their subjects, interleaved and repeated: what
// else the machine does, or how warm it is, hits all alike.
#ifndef WATERFLOW_BENCH_INGEST_PLAN_H_
#define WATERFLOW_BENCH_INGEST_PLAN_H_

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "bench/ingest/results.h"
#include "bench/peers/peer.h"

namespace waterflow::bench {

struct IngestOptions {
  PeerOptions peer;
  std::filesystem::path trace;  // folder of the recorded telemetry
  // Keys of shapes and names of subjects; empty: all.
  std::vector<std::string> shapes;
  std::vector<std::string> subjects;
  absl::Duration window = absl::Seconds(60);
  int repeat = 5;
  uint64_t seed = 1;
};

// Fills `results` as it goes and calls `save` after each repetition, so that
// hours are not lost to what comes last. A subject that is not installed, and a
// shape that fails on one, are skipped with the reason; only a stop ends it
// all.
absl::Status RunIngest(const IngestOptions& options,
                       const std::function<void(const Results&)>& save,
                       Results* results);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_INGEST_PLAN_H_
