#include "storage/query/accumulator.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace waterflow::storage {

void BucketAccumulator::Add(int64_t position, double value, uint32_t worker) {
  AddEnds(position, value, position, value, worker);
  if (!std::isfinite(value)) {
    AddNonFinite(value);
    return;
  }
  AddExtremes(value, position, value, position, worker);
  sum_ += value;
  const long double n = ++bucket_.count;
  if (bucket_.count > 1) {
    const long double distance = n * value - sum_;
    squares_ += distance * distance / (n * (n - 1));
  }
}

void BucketAccumulator::AddStretch(absl::Span<const int64_t> positions,
                                   absl::Span<const double> values,
                                   uint32_t worker) {
  if (values.size() == 1) {
    Add(positions.front(), values.front(), worker);
    return;
  }
  AddEnds(positions.front(), values.front(), positions.back(), values.back(),
          worker);
  uint64_t count = 0;
  long double sum = 0;
  size_t min_at = 0;
  size_t max_at = 0;
  double min = std::numeric_limits<double>::infinity();
  double max = -std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < values.size(); ++i) {
    const double value = values[i];
    if (!std::isfinite(value)) {
      AddNonFinite(value);
      continue;
    }
    ++count;
    sum += value;
    if (value < min) {
      min = value;
      min_at = i;
    }
    if (value > max) {
      max = value;
      max_at = i;
    }
  }
  if (count == 0) return;
  AddExtremes(min, positions[min_at], max, positions[max_at], worker);

  const long double mean = sum / count;
  long double squares = 0;
  long double rest = 0;  // what rounding left in the mean
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    const long double distance = value - mean;
    squares += distance * distance;
    rest += distance;
  }
  squares -= rest * rest / count;
  if (bucket_.count > 0) {
    const long double others = bucket_.count;
    const long double between = mean - sum_ / others;
    squares += between * between * (others * count / (others + count));
  }
  squares_ += squares;
  sum_ += sum;
  bucket_.count += count;
}

void BucketAccumulator::AddEnds(int64_t first_position, double first,
                                int64_t last_position, double last,
                                uint32_t worker) {
  if (empty_) {
    bucket_.min_position = bucket_.max_position = first_position;
    bucket_.min_worker = bucket_.max_worker = worker;
  }
  if (empty_ || first_position < bucket_.first_position) {
    bucket_.first_position = first_position;
    bucket_.first = first;
  }
  if (empty_ || last_position >= bucket_.last_position) {
    bucket_.last_position = last_position;
    bucket_.last = last;
  }
  empty_ = false;
}

void BucketAccumulator::AddNonFinite(double value) {
  if (std::isnan(value)) {
    ++bucket_.nan_count;
  } else if (value > 0) {
    ++bucket_.pos_inf_count;
  } else {
    ++bucket_.neg_inf_count;
  }
}

void BucketAccumulator::AddExtremes(double min, int64_t min_position,
                                    double max, int64_t max_position,
                                    uint32_t worker) {
  const bool first = bucket_.count == 0;
  if (first || min < bucket_.min ||
      (min == bucket_.min && min_position < bucket_.min_position)) {
    bucket_.min = min;
    bucket_.min_position = min_position;
    bucket_.min_worker = worker;
  }
  if (first || max > bucket_.max ||
      (max == bucket_.max && max_position < bucket_.max_position)) {
    bucket_.max = max;
    bucket_.max_position = max_position;
    bucket_.max_worker = worker;
  }
}

Bucket BucketAccumulator::Finish(Reduction reduction) const {
  Bucket bucket = bucket_;
  if (bucket.count == 0) {
    constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
    bucket.value = bucket.mean = bucket.stddev = kNan;
    bucket.min = bucket.max = kNan;
    // The first point may have been added after others.
    bucket.min_position = bucket.max_position = bucket.first_position;
    return bucket;
  }
  // The last bit of a sum must not carry a mean out of what it is the mean of.
  bucket.mean = std::clamp(static_cast<double>(sum_ / bucket.count), bucket.min,
                           bucket.max);
  bucket.stddev = bucket.min == bucket.max
                      ? 0
                      : static_cast<double>(
                            std::sqrt(std::max(squares_, 0.0L) / bucket.count));
  switch (reduction) {
    case Reduction::kSum:
      bucket.value = static_cast<double>(sum_);
      break;
    case Reduction::kMin:
      bucket.value = bucket.min;
      break;
    case Reduction::kMax:
      bucket.value = bucket.max;
      break;
    case Reduction::kNone:
    case Reduction::kDefault:
    case Reduction::kMean:
      bucket.value = bucket.mean;
      break;
  }
  return bucket;
}

}  // namespace waterflow::storage
