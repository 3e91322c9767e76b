#include "storage/query/run_statistics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

namespace waterflow::storage {
namespace {

// The values of all workers as one. What is not finite is left out; where
// nothing is finite, the infinity that all agree on, or NaN.
class ReducedValue {
 public:
  void Add(double value) {
    if (std::isfinite(value)) {
      min_ = count_ == 0 ? value : std::min(min_, value);
      max_ = count_ == 0 ? value : std::max(max_, value);
      sum_ += value;
      ++count_;
    } else if (!other_.has_value() || *other_ == value) {
      other_ = value;
    } else {
      other_ = std::numeric_limits<double>::quiet_NaN();
    }
  }
  MetricStatistics::Reduced Finish() const {
    MetricStatistics::Reduced all;
    if (count_ == 0) {
      all.fill(*other_);
      return all;
    }
    // In the order of Reduction.
    return {static_cast<double>(sum_ / count_), static_cast<double>(sum_), min_,
            max_};
  }

 private:
  uint64_t count_ = 0;
  long double sum_ = 0;  // reaches beyond a double
  double min_ = 0;
  double max_ = 0;
  std::optional<double> other_;
};

}  // namespace

std::optional<MetricStatistics> StatisticsOf(
    absl::Span<const LastValue> workers) {
  if (workers.empty()) return std::nullopt;
  std::array<ReducedValue, MetricStatistics::kStatistics> values;
  for (const LastValue& worker : workers) {
    values[static_cast<size_t>(Statistic::kLast)].Add(worker.value);
    values[static_cast<size_t>(Statistic::kMin)].Add(worker.min);
    values[static_cast<size_t>(Statistic::kMax)].Add(worker.max);
    values[static_cast<size_t>(Statistic::kMean)].Add(worker.mean);
  }
  MetricStatistics statistics;
  for (size_t i = 0; i < values.size(); ++i) {
    statistics.values[i] = values[i].Finish();
  }
  return statistics;
}

}  // namespace waterflow::storage
