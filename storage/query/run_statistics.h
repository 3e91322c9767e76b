// What the metrics of a run come to as single numbers, for searches and tables
// of runs: a statistic of each worker's points, the workers reduced to one.
#ifndef WATERFLOW_STORAGE_QUERY_RUN_STATISTICS_H_
#define WATERFLOW_STORAGE_QUERY_RUN_STATISTICS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/types/span.h"
#include "storage/model/records.h"
#include "storage/read.h"

namespace waterflow::storage {

// One metric of a run: each of the statistics that stand for themselves (last,
// min, max, mean), reduced in each way there is (mean, sum, min, max).
struct MetricStatistics {
  static constexpr size_t kStatistics = 4;
  static constexpr size_t kReductions = 4;
  using Reduced = std::array<double, kReductions>;
  std::array<Reduced, kStatistics> values{};

  // Precondition: kLast to kMean, and a way to reduce.
  double Get(Statistic statistic, Reduction reduction) const {
    return values[static_cast<size_t>(statistic)]
                 [static_cast<size_t>(reduction) -
                  static_cast<size_t>(Reduction::kMean)];
  }

  friend bool operator==(const MetricStatistics&,
                         const MetricStatistics&) = default;
};

// Of one metric: an entry a worker. Absent: no worker has a point.
std::optional<MetricStatistics> StatisticsOf(
    absl::Span<const LastValue> workers);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_RUN_STATISTICS_H_
