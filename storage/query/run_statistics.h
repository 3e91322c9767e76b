// What the metrics of a run come to as single numbers, for searches and tables
// of runs: a statistic of each worker's points, the workers reduced to one.
#ifndef WATERFLOW_STORAGE_QUERY_RUN_STATISTICS_H_
#define WATERFLOW_STORAGE_QUERY_RUN_STATISTICS_H_

#include <optional>

#include "absl/types/span.h"
#include "storage/model/metric_statistics.h"
#include "storage/read.h"

namespace waterflow::storage {

// Of one metric: an entry a worker. Absent: no worker has a point.
std::optional<MetricStatistics> StatisticsOf(
    absl::Span<const LastValue> workers);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_RUN_STATISTICS_H_
