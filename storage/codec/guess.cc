#include "storage/codec/guess.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <optional>

#include "storage/codec/decimal.h"
#include "storage/codec/float32.h"
#include "storage/codec/integers.h"

namespace waterflow::storage {
namespace {

// Up to this many bits, integers beat the ordered bits of a float: these keep
// a mantissa of 23 (or 52) bits for each value, of which noise leaves most.
constexpr int kFloat32IntegerBits = 17;
constexpr int kFloat64IntegerBits = 47;
// Bits that a clock must save over integers on its grid.
constexpr int kClockGain = 3;

struct Grid {
  int scale = 0;  // all values are multiples of 2^-scale
  int bits = 0;   // of the largest of them
};

// The coarsest binary grid that all values lie on; none for what has no place
// on one.
std::optional<Grid> FindGrid(absl::Span<const double> values) {
  int scale = 0;
  int top = 0;
  for (const double value : values) {
    const auto bits = std::bit_cast<uint64_t>(value);
    if (bits == 0) continue;
    const int exponent = static_cast<int>(bits >> 52 & 0x7ff);
    if (exponent == 0 || exponent == 0x7ff) return std::nullopt;
    const uint64_t mantissa = (bits & ((1ull << 52) - 1)) | 1ull << 52;
    scale =
        std::max(scale, 52 - std::countr_zero(mantissa) - (exponent - 1023));
    top = std::max(top, exponent - 1023 + 1);
  }
  if (scale > kMaxScale) return std::nullopt;
  return Grid{.scale = scale, .bits = scale + top};
}

}  // namespace

Sample::Sample(absl::Span<const double> values) {
  count_ = std::min(values.size(), kValues);
  for (size_t i = 0; i < count_; ++i) {
    values_[i] =
        values[count_ == 1 ? 0 : i * (values.size() - 1) / (count_ - 1)];
  }
}

bool Sample::Add(double value) {
  if (count_ == values_.size()) return false;
  values_[count_++] = value;
  return true;
}

int Sample::FindExponent() const {
  uint64_t digits[kValues + kMoreValues];
  int exponent = 1;
  // One that fits more digits fits less of them, nearly always: go up.
  for (size_t i = 0; i < count_;) {
    if (ToDecimals(values().subspan(i, 1), exponent, digits) == 1) {
      ++i;
    } else if (++exponent > kMaxDecimalExponent) {
      return -1;
    }
  }
  return ToDecimals(values(), exponent, digits) == count_ ? exponent : -1;
}

int Sample::FindClock(int scale) const {
  uint64_t digits[kValues + kMoreValues];
  uint32_t steps[kValues + kMoreValues];
  for (const int exponent : {9, 6, 3}) {
    const int gain = scale - static_cast<int>(std::log2(10.0) * exponent);
    if (gain < kClockGain) continue;
    if (ToClock(values(), exponent, scale, digits, steps) < count_) continue;
    uint32_t most = 0;
    for (size_t i = 0; i < count_; ++i) {
      const auto step = static_cast<int32_t>(steps[i]);
      most = std::max(most, static_cast<uint32_t>(std::abs(step)));
    }
    if (static_cast<int>(std::bit_width(2 * most)) + kClockGain <= gain)
      return exponent;
  }
  return -1;
}

Guess Sample::Look() const {
  const std::optional<Grid> grid = FindGrid(values());
  if (grid.has_value() && grid->scale == 0 && grid->bits <= 53) {
    return {.kind = Kind::kIntegers};
  }
  uint32_t narrow[kValues + kMoreValues];
  if (NarrowToFloat32s(values_.data(), count_, narrow) == count_) {
    if (grid.has_value() && grid->bits <= kFloat32IntegerBits) {
      return {.kind = Kind::kIntegers, .scale = grid->scale};
    }
    return {.kind = Kind::kFloat32};
  }
  if (const int exponent = FindExponent(); exponent >= 0) {
    return {.kind = Kind::kDecimal, .exponent = exponent};
  }
  if (grid.has_value() && grid->bits <= 53 && grid->scale <= kMaxClockScale) {
    if (const int exponent = FindClock(grid->scale); exponent >= 0) {
      return {.kind = Kind::kClock, .scale = grid->scale, .exponent = exponent};
    }
  }
  if (grid.has_value() && grid->bits <= kFloat64IntegerBits) {
    return {.kind = Kind::kIntegers, .scale = grid->scale};
  }
  return {.kind = Kind::kFloat64};
}

}  // namespace waterflow::storage
