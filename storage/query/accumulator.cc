#include "storage/query/accumulator.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

namespace waterflow::storage {
namespace {

// Doubles are added up side by side in lanes, which keeps a vector register
// busy, and for no longer than a block: what rounding costs stays that of some
// additions, however long the stretch.
constexpr size_t kLanes = 4;
constexpr size_t kBlock = 64;

struct Lanes {
  double v[kLanes] = {};
  double sum() const { return (v[0] + v[1]) + (v[2] + v[3]); }
};

// False when some value is not finite, or when squares may leave a double's
// range: then each has to be looked at.
bool MeasureQuickly(absl::Span<const int64_t> positions,
                    absl::Span<const double> values, Piece* piece) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  Piece m = *piece;
  m.min = kInf;
  m.max = -kInf;
  size_t min_at = 0;
  size_t max_at = 0;
  for (size_t begin = 0; begin < values.size(); begin += kBlock) {
    const double* const v = values.data() + begin;
    const size_t n = std::min(kBlock, values.size() - begin);
    const size_t even = n - n % kLanes;
    Lanes sums;
    Lanes least{{v[0], v[0], v[0], v[0]}};
    Lanes greatest = least;
    for (size_t i = 0; i < even; i += kLanes) {
      for (size_t k = 0; k < kLanes; ++k) {
        const double value = v[i + k];
        sums.v[k] += value;
        least.v[k] = value < least.v[k] ? value : least.v[k];
        greatest.v[k] = value > greatest.v[k] ? value : greatest.v[k];
      }
    }
    for (size_t i = even; i < n; ++i) {
      sums.v[0] += v[i];
      least.v[0] = v[i] < least.v[0] ? v[i] : least.v[0];
      greatest.v[0] = v[i] > greatest.v[0] ? v[i] : greatest.v[0];
    }
    // A NaN or an infinity is in the sum, too.
    if (!std::isfinite(sums.sum())) return false;
    m.sum += sums.sum();
    const double block_min = *std::min_element(least.v, least.v + kLanes);
    const double block_max = *std::max_element(greatest.v, greatest.v + kLanes);
    if (block_min < m.min) {
      m.min = block_min;
      min_at = std::find(v, v + n, block_min) - values.data();
    }
    if (block_max > m.max) {
      m.max = block_max;
      max_at = std::find(v, v + n, block_max) - values.data();
    }
  }
  m.count = values.size();
  // Not those of the lanes: zeros of both signs are equal.
  m.min = values[min_at];
  m.max = values[max_at];
  m.min_position = positions[min_at];
  m.max_position = positions[max_at];
  const double spread = m.max - m.min;
  if (spread == 0) {
    *piece = m;
    return true;
  }
  if (spread < 1e-140 || spread > 1e140) return false;
  const auto mean = static_cast<double>(m.sum / m.count);
  long double rest = 0;  // what rounding left in the mean
  for (size_t begin = 0; begin < values.size(); begin += kBlock) {
    const double* const v = values.data() + begin;
    const size_t n = std::min(kBlock, values.size() - begin);
    const size_t even = n - n % kLanes;
    Lanes distances;
    Lanes squares;
    for (size_t i = 0; i < even; i += kLanes) {
      for (size_t k = 0; k < kLanes; ++k) {
        const double distance = v[i + k] - mean;
        distances.v[k] += distance;
        squares.v[k] += distance * distance;
      }
    }
    for (size_t i = even; i < n; ++i) {
      const double distance = v[i] - mean;
      distances.v[0] += distance;
      squares.v[0] += distance * distance;
    }
    rest += distances.sum();
    m.squares += squares.sum();
  }
  m.squares -= rest * rest / m.count;
  *piece = m;
  return true;
}

// The same where lanes would cost more than they spare.
constexpr size_t kShort = 16;
bool MeasureShort(absl::Span<const int64_t> positions,
                  absl::Span<const double> values, Piece* piece) {
  const size_t n = values.size();
  double sum = 0;
  double min = values[0];
  double max = values[0];
  size_t min_at = 0;
  size_t max_at = 0;
  for (size_t i = 0; i < n; ++i) {
    const double value = values[i];
    sum += value;
    min_at = value < min ? i : min_at;
    max_at = value > max ? i : max_at;
    min = value < min ? value : min;
    max = value > max ? value : max;
  }
  const double spread = max - min;
  if (!std::isfinite(sum) ||
      (spread != 0 && (spread < 1e-140 || spread > 1e140))) {
    return false;
  }
  const double mean = sum / static_cast<double>(n);
  double rest = 0;
  double squares = 0;
  for (size_t i = 0; i < n; ++i) {
    const double distance = values[i] - mean;
    rest += distance;
    squares += distance * distance;
  }
  piece->count = n;
  piece->sum = sum;
  piece->squares = squares - rest * rest / static_cast<double>(n);
  piece->min = min;
  piece->max = max;
  piece->min_position = positions[min_at];
  piece->max_position = positions[max_at];
  return true;
}

// Well within a double's range its arithmetic does, at a fraction of the time.
bool IsPlain(double value) {
  const double size = std::fabs(value);
  return size > 1e-280 && size < 1e280;
}

double Quotient(long double value, uint64_t count) {
  const auto near = static_cast<double>(value);
  return IsPlain(near) ? near / static_cast<double>(count)
                       : static_cast<double>(value / count);
}

// The square root; of what rounding has brought below 0 it is 0.
double RootOfQuotient(long double value, uint64_t count) {
  if (value <= 0) return 0;
  const auto near = static_cast<double>(value);
  return IsPlain(near) ? std::sqrt(near / static_cast<double>(count))
                       : static_cast<double>(std::sqrt(value / count));
}

void CountNonFinite(double value, Piece* piece) {
  if (std::isnan(value)) {
    ++piece->nan_count;
  } else if (value > 0) {
    ++piece->pos_inf_count;
  } else {
    ++piece->neg_inf_count;
  }
}

// Any values.
void MeasureEach(absl::Span<const int64_t> positions,
                 absl::Span<const double> values, Piece* piece) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      CountNonFinite(values[i], piece);
      continue;
    }
    if (piece->count == 0 || values[i] < piece->min) {
      piece->min = values[i];
      piece->min_position = positions[i];
    }
    if (piece->count == 0 || values[i] > piece->max) {
      piece->max = values[i];
      piece->max_position = positions[i];
    }
    ++piece->count;
    piece->sum += values[i];
  }
  if (piece->count == 0) return;
  const long double mean = piece->sum / piece->count;
  long double rest = 0;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    const long double distance = value - mean;
    piece->squares += distance * distance;
    rest += distance;
  }
  piece->squares -= rest * rest / piece->count;
}

}  // namespace

void BucketAccumulator::Add(int64_t position, double value, uint32_t worker) {
  Piece piece{.first_position = position,
              .last_position = position,
              .first = value,
              .last = value,
              .first_worker = worker,
              .last_worker = worker,
              .sum = value,
              .min = value,
              .max = value,
              .min_position = position,
              .max_position = position,
              .min_worker = worker,
              .max_worker = worker};
  if (std::isfinite(value)) {
    piece.count = 1;
  } else {
    CountNonFinite(value, &piece);
  }
  AddPiece(piece);
  if (values_ != nullptr) AddValue(value);
}

void BucketAccumulator::AddStretch(absl::Span<const int64_t> positions,
                                   absl::Span<const double> values,
                                   uint32_t worker) {
  if (values.size() == 1) {
    Add(positions.front(), values.front(), worker);
    return;
  }
  Piece piece{.first_position = positions.front(),
              .last_position = positions.back(),
              .first = values.front(),
              .last = values.back(),
              .first_worker = worker,
              .last_worker = worker,
              .min_worker = worker,
              .max_worker = worker};
  const bool finite = values.size() <= kShort
                          ? MeasureShort(positions, values, &piece)
                          : MeasureQuickly(positions, values, &piece);
  if (!finite) MeasureEach(positions, values, &piece);
  AddPiece(piece);
  if (values_ == nullptr) return;
  for (const double value : values) AddValue(value);
}

void BucketAccumulator::AddPiece(const Piece& piece) {
  AddEnds(piece);
  bucket_.nan_count += piece.nan_count;
  bucket_.pos_inf_count += piece.pos_inf_count;
  bucket_.neg_inf_count += piece.neg_inf_count;
  if (piece.count > 0) AddFinite(piece);
}

void BucketAccumulator::AddEnds(const Piece& piece) {
  if (empty_ || std::tie(piece.first_position, piece.first_worker) <
                    std::tie(bucket_.first_position, first_worker_)) {
    bucket_.first_position = piece.first_position;
    bucket_.first = piece.first;
    first_worker_ = piece.first_worker;
  }
  if (empty_ || std::tie(piece.last_position, piece.last_worker) >=
                    std::tie(bucket_.last_position, last_worker_)) {
    bucket_.last_position = piece.last_position;
    bucket_.last = piece.last;
    last_worker_ = piece.last_worker;
  }
  empty_ = false;
}

void BucketAccumulator::AddFinite(const Piece& piece) {
  const bool first = bucket_.count == 0;
  if (first || piece.min < bucket_.min ||
      (piece.min == bucket_.min &&
       std::tie(piece.min_position, piece.min_worker) <
           std::tie(bucket_.min_position, bucket_.min_worker))) {
    bucket_.min = piece.min;
    bucket_.min_position = piece.min_position;
    bucket_.min_worker = piece.min_worker;
  }
  if (first || piece.max > bucket_.max ||
      (piece.max == bucket_.max &&
       std::tie(piece.max_position, piece.max_worker) <
           std::tie(bucket_.max_position, bucket_.max_worker))) {
    bucket_.max = piece.max;
    bucket_.max_position = piece.max_position;
    bucket_.max_worker = piece.max_worker;
  }
  if (!first) {
    const long double others = bucket_.count;
    const long double count = piece.count;
    // (mean - other mean)^2 * others * count / (others + count), in one
    // division.
    const long double between = piece.sum * others - sum_ * count;
    squares_ += between * between / (others * count * (others + count));
  }
  squares_ += piece.squares;
  sum_ += piece.sum;
  bucket_.count += piece.count;
}

Bucket BucketAccumulator::Finish(Reduction reduction) const {
  Bucket bucket = bucket_;
  if (bucket.count == 0) {
    constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
    bucket.value = bucket.mean = bucket.stddev = kNan;
    bucket.min = bucket.max = kNan;
    bucket.min_position = bucket.max_position = bucket.first_position;
    bucket.min_worker = bucket.max_worker = first_worker_;
    return bucket;
  }
  // The last bit of a sum must not carry a mean out of what it is the mean of.
  bucket.mean =
      std::clamp(Quotient(sum_, bucket.count), bucket.min, bucket.max);
  bucket.stddev =
      bucket.min == bucket.max ? 0 : RootOfQuotient(squares_, bucket.count);
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

bool BucketAccumulator::AppendQuantiles(absl::Span<const double> quantiles,
                                        std::vector<double>* out) const {
  for (const double q : quantiles) {
    out->push_back(
        values_->count() == 0
            ? std::numeric_limits<double>::quiet_NaN()
            // A sketch may be beyond what it is a sketch of.
            : std::clamp(values_->Quantile(q), bucket_.min, bucket_.max));
  }
  return values_->exact();
}

}  // namespace waterflow::storage
