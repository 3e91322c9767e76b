// What readers cost ingest: a flood alone, then the same flood while dashboards
// refresh and a subscriber follows a worker.
#ifndef WATERFLOW_BENCH_QUERY_BESIDE_H_
#define WATERFLOW_BENCH_QUERY_BESIDE_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bench/peers/peer.h"

namespace waterflow::bench {

struct BesideResult {
  double alone_samples_per_s = 0;
  double with_dashboards_samples_per_s = 0;
  uint64_t charts = 0;
  double chart_p50_ms = 0;
  double chart_p99_ms = 0;
  // From the ack of a row, as its writer has it, to the subscriber.
  uint64_t tailed_rows = 0;
  double tail_p50_ms = 0;
  double tail_p99_ms = 0;
};

// A window of `duration` for each of the two floods.
absl::StatusOr<BesideResult> RunBeside(const PeerOptions& options,
                                       absl::Duration duration);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_QUERY_BESIDE_H_
