// What a metric of a run comes to as single numbers.
#ifndef WATERFLOW_STORAGE_MODEL_METRIC_STATISTICS_H_
#define WATERFLOW_STORAGE_MODEL_METRIC_STATISTICS_H_

#include <array>
#include <cstddef>

#include "storage/model/records.h"

namespace waterflow::storage {

// Each of the statistics that stand for themselves (last, min, max, mean) of
// the workers' points, the workers reduced in each way there is (mean, sum,
// min, max).
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
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_MODEL_METRIC_STATISTICS_H_
