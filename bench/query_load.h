// Asks a server the same question over and over, one call at a time, and
// measures both ends.
#ifndef WATERFLOW_BENCH_QUERY_LOAD_H_
#define WATERFLOW_BENCH_QUERY_LOAD_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bench/histogram.h"
#include "bench/target.h"
#include "waterflow/v1/query.pb.h"

namespace waterflow::bench {

struct QueryResult {
  Histogram round_trip_ns;  // at the client, from the call to its last message
  double server_cpu_ns_per_query = 0;
  uint64_t points_per_query = 0;  // points or buckets that came back
};

// After some calls to warm up, asks for `duration`, at least 20 times.
absl::StatusOr<QueryResult> RunQueries(Target& target,
                                       const v1::ReadRequest& request,
                                       absl::Duration duration);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_QUERY_LOAD_H_
