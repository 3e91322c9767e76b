// Plain loops, compiled with -O3 and without contraction of products and sums:
// what is decoded must not depend on the processor (storage/codec/
// CMakeLists.txt).
#include "storage/codec/decimal.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "storage/codec/packed.h"
#include "storage/codec/sequence.h"

namespace waterflow::storage {
namespace {

// 2^52: a double from here on has no fraction.
constexpr double kNoFraction = 4503599627370496.0;
constexpr double kMaxExact = 2 * kNoFraction;
// More digits than this and any double is a decimal.
constexpr double kMaxDigits = kNoFraction / 2;
constexpr int32_t kMaxSteps = 1 << 20;
constexpr std::array<double, kMaxDecimalExponent + 1> kPowersOf10 = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8, 1e9,
    1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};

// To the nearest integer, ties to even: the sum has no bits left for a
// fraction.
double Round(double value) {
  const double large = std::copysign(kNoFraction, value);
  const double rounded = (value + large) - large;
  return std::fabs(value) < kNoFraction ? rounded : value;
}

double Within(double value) {
  return std::fabs(value) <= kMaxExact ? value : 0;
}

bool SameBits(double a, double b) {
  return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
}

// Calls convert(i), which says whether value i comes back, until one does not.
template <typename Convert>
size_t ConvertAll(size_t n, Convert convert) {
  constexpr size_t kStride = 64;  // values before the next decision to go on
  for (size_t begin = 0; begin < n; begin += kStride) {
    const size_t end = std::min(n, begin + kStride);
    bool exact = true;
    for (size_t i = begin; i < end; ++i) exact &= convert(i);
    if (exact) continue;
    size_t i = begin;
    while (convert(i)) ++i;
    return i;
  }
  return n;
}

double AsDouble(uint64_t integer) {
  return static_cast<double>(static_cast<int64_t>(integer));
}

}  // namespace

size_t ToDecimals(absl::Span<const double> values, int exponent,
                  uint64_t* digits) {
  const double power = kPowersOf10[exponent];
  return ConvertAll(values.size(), [&](size_t i) {
    const double rounded = Round(Within(values[i] * power));
    digits[i] = static_cast<uint64_t>(static_cast<int64_t>(rounded));
    return std::fabs(rounded) < kMaxDigits &&
           SameBits(rounded / power, values[i]);
  });
}

size_t ToClock(absl::Span<const double> values, int exponent, int scale,
               uint64_t* digits, uint32_t* steps) {
  const double power = kPowersOf10[exponent];
  const double grid = std::ldexp(1.0, scale);
  const double unit = std::ldexp(1.0, -scale);
  const double per_digit = grid / power;
  return ConvertAll(values.size(), [&](size_t i) {
    const double rounded = Round(Within(values[i] * power));
    digits[i] = static_cast<uint64_t>(static_cast<int64_t>(rounded));
    const double product = Round(Within(rounded * per_digit));
    const double distance = Within(values[i] * grid) - product;
    const bool near = std::fabs(distance) <= kMaxSteps;
    const auto step = static_cast<int32_t>(near ? distance : 0);
    steps[i] = static_cast<uint32_t>(step);
    return SameBits((product + step) * unit, values[i]);
  });
}

void AppendDecimal(uint64_t* digits, size_t n, int exponent, std::string* out) {
  out->push_back(static_cast<char>(exponent));
  AppendSequence(digits, n, out);
}

void AppendClock(uint64_t* digits, const uint32_t* steps, size_t n,
                 int exponent, int scale, std::string* out) {
  out->push_back(static_cast<char>(exponent));
  out->push_back(static_cast<char>(scale));
  AppendSequence(digits, n, out);
  AppendPacked(steps, n, out);
}

absl::Status DecodeDecimal(absl::string_view payload, absl::Span<double> out) {
  if (payload.empty()) return absl::DataLossError("the exponent is missing");
  const int exponent = static_cast<uint8_t>(payload.front());
  payload.remove_prefix(1);
  if (exponent > kMaxDecimalExponent) {
    return absl::DataLossError(
        absl::StrCat("a decimal exponent of ", exponent));
  }
  const size_t n = out.size();
  const auto digits = Scratch<uint64_t>(n);
  absl::Status s = TakeSequence(&payload, digits.get(), n);
  if (s.ok()) s = CheckNothingLeft(payload);
  if (!s.ok()) return s;
  const double power = kPowersOf10[exponent];
  for (size_t i = 0; i < n; ++i) out[i] = AsDouble(digits[i]) / power;
  return absl::OkStatus();
}

absl::Status DecodeClock(absl::string_view payload, absl::Span<double> out) {
  if (payload.size() < 2) {
    return absl::DataLossError("exponent and scale are missing");
  }
  const int exponent = static_cast<uint8_t>(payload[0]);
  const int scale = static_cast<uint8_t>(payload[1]);
  payload.remove_prefix(2);
  if (exponent > kMaxDecimalExponent || scale > kMaxClockScale) {
    return absl::DataLossError(absl::StrCat("a decimal exponent of ", exponent,
                                            " and a scale of ", scale));
  }
  const size_t n = out.size();
  const auto digits = Scratch<uint64_t>(n);
  const auto steps = Scratch<uint32_t>(n);
  absl::Status s = TakeSequence(&payload, digits.get(), n);
  if (!s.ok()) return s;
  if (!TakePacked(&payload, steps.get(), n)) {
    return absl::DataLossError("the steps are cut short or malformed");
  }
  if (s = CheckNothingLeft(payload); !s.ok()) return s;
  const double per_digit = std::ldexp(1.0, scale) / kPowersOf10[exponent];
  const double unit = std::ldexp(1.0, -scale);
  for (size_t i = 0; i < n; ++i) {
    const double product = Round(AsDouble(digits[i]) * per_digit);
    out[i] = (product + static_cast<int32_t>(steps[i])) * unit;
  }
  return absl::OkStatus();
}

}  // namespace waterflow::storage
