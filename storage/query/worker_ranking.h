// Workers of a run side by side: each worker's points of a range as one number,
// and how far that is from what the others have.
#ifndef WATERFLOW_STORAGE_QUERY_WORKER_RANKING_H_
#define WATERFLOW_STORAGE_QUERY_WORKER_RANKING_H_

#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/query/lineage.h"
#include "storage/worker_questions.h"

namespace waterflow::storage {

// Of the lineage's one metric. RESOURCE_EXHAUSTED when it would hold more than
// memory_bytes, CANCELLED when the spec says so.
absl::StatusOr<WorkerRanking> RankWorkers(const RankWorkersSpec& spec,
                                          LineageReader* reader,
                                          uint64_t memory_bytes);

// `metric` of the lineage says what a step takes; or, by its rows' times, how
// long it was since the step before.
absl::StatusOr<Stragglers> FindStragglers(const StragglersSpec& spec,
                                          LineageReader* reader, size_t metric,
                                          bool by_time, uint64_t memory_bytes);

// The metric with the most rows; the lineage has one.
absl::StatusOr<size_t> LongestMetric(const Lineage& lineage,
                                     LineageReader* reader,
                                     const PointFilter& filter);

// The greatest step of each of the lineage's workers that has one.
absl::StatusOr<absl::flat_hash_map<Worker, int64_t>> LastSteps(
    const Lineage& lineage, LineageReader* reader);

// How far each value is from the median of those that are numbers, in median
// absolute deviations x 1.4826 (a standard deviation of normal values; Iglewicz
// and Hoaglin 1993). Where half of the values are equal: 0 for these, and an
// infinity for the others.
struct Deviations {
  double median = 0;
  double mad = 0;
  std::vector<double> of;  // of each value; NaN: it is no number
};
Deviations DeviationsOf(absl::Span<const double> values);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_WORKER_RANKING_H_
