#include "storage/query/quantile_sketch.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace waterflow::storage {
namespace {

// Numbers nearer to 0 count as 0.
constexpr double kTiny = 1e-300;
// Cells of positive numbers are above 0, those of negative ones below.
constexpr int32_t kMiddle = 1 << 20;

double LogGamma() {
  static const double log_gamma =
      std::log((1 + kQuantileError) / (1 - kQuantileError));
  return log_gamma;
}

int32_t CellOf(double value) {
  const double size = std::fabs(value);
  if (size < kTiny) return 0;
  // Between -70,000 and 71,000.
  const auto cell =
      kMiddle + static_cast<int32_t>(std::ceil(std::log(size) / LogGamma()));
  return value > 0 ? cell : -cell;
}

double ValueOf(int32_t cell) {
  if (cell == 0) return 0;
  // The middle of a cell, in the sense of the relative error; of the last one
  // it may be beyond the range.
  const double power = (std::abs(cell) - kMiddle) * LogGamma();
  const double size = std::min(std::exp(power + std::log1p(-kQuantileError)),
                               std::numeric_limits<double>::max());
  return cell > 0 ? size : -size;
}

}  // namespace

void QuantileSketch::Add(double value) {
  ++count_;
  if (exact() && values_.size() < kExactQuantileValues) {
    sorted_ = sorted_ && (values_.empty() || values_.back() <= value);
    values_.push_back(value);
    return;
  }
  for (const double kept : values_) AddToCells(kept);
  values_ = {};
  AddToCells(value);
}

void QuantileSketch::AddToCells(double value) { ++cells_[CellOf(value)]; }

size_t QuantileSketch::bytes() const {
  return values_.capacity() * sizeof(double) + cells_.size() * 20;
}

double QuantileSketch::Quantile(double q) {
  if (!sorted_) {
    std::sort(values_.begin(), values_.end());
    sorted_ = true;
  }
  const double rank = q * static_cast<double>(count_ - 1);
  const auto below = static_cast<uint64_t>(rank);
  const double low = ValueAt(below);
  const double share = rank - static_cast<double>(below);
  if (share == 0) return low;
  const double high = ValueAt(below + 1);
  // Two numbers may be further apart than a double goes.
  return low * (1 - share) + high * share;
}

double QuantileSketch::ValueAt(uint64_t rank) const {
  if (exact()) return values_[rank];
  uint64_t before = 0;
  for (const auto& [cell, count] : cells_) {
    before += count;
    if (before > rank) return ValueOf(cell);
  }
  return ValueOf(cells_.rbegin()->first);
}

}  // namespace waterflow::storage
