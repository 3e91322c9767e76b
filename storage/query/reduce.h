// From many workers' points to one answer: a bucket holds the points of all of
// them and names the workers that gave the extremes. What the statistics mean:
// accumulator.h.
#ifndef WATERFLOW_STORAGE_QUERY_REDUCE_H_
#define WATERFLOW_STORAGE_QUERY_REDUCE_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "storage/query/bucket.h"
#include "storage/read.h"

namespace waterflow::storage {

// One bucket a step that any worker has, ascending; of several points of a
// worker at one step the last counts. first and last are those of the first and
// the last worker (in the order given) that have the step.
std::vector<Bucket> ReducePerStep(absl::Span<const SeriesView> workers,
                                  Reduction reduction);

// Buckets over all workers (see bucket.h); every point in the span counts.
// first and last go by (position, order of the workers).
std::vector<Bucket> ReduceBuckets(absl::Span<const SeriesView> workers,
                                  Interval span, uint32_t max_points,
                                  Reduction reduction);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_REDUCE_H_
