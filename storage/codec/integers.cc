// Plain loops, compiled with -O3 (storage/codec/CMakeLists.txt).
#include "storage/codec/integers.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "storage/codec/sequence.h"

namespace waterflow::storage {
namespace {

constexpr double kMaxExact = 9007199254740992.0;  // 2^53
// Values looked at before the next decision to go on.
constexpr size_t kStride = 64;

// False where `scaled` is no integer that comes back.
bool ToInteger(double scaled, uint64_t* integer) {
  // A half is none; NaN fails the comparison.
  const double safe = std::fabs(scaled) <= kMaxExact ? scaled : 0.5;
  const auto whole = static_cast<int64_t>(safe);
  *integer = static_cast<uint64_t>(whole);
  // By bits, so that -0.0 is none.
  return std::bit_cast<uint64_t>(static_cast<double>(whole)) ==
         std::bit_cast<uint64_t>(safe);
}

}  // namespace

size_t ToIntegers(absl::Span<const double> values, int scale,
                  uint64_t* integers) {
  const double factor = std::ldexp(1.0, scale);
  for (size_t begin = 0; begin < values.size(); begin += kStride) {
    const size_t end = std::min(values.size(), begin + kStride);
    bool exact = true;
    for (size_t i = begin; i < end; ++i) {
      exact &= ToInteger(values[i] * factor, integers + i);
    }
    if (exact) continue;
    size_t i = begin;
    while (ToInteger(values[i] * factor, integers + i)) ++i;
    return i;
  }
  return values.size();
}

void AppendIntegers(uint64_t* integers, size_t n, int scale, std::string* out) {
  out->push_back(static_cast<char>(scale));
  AppendSequence(integers, n, out);
}

absl::Status DecodeIntegers(absl::string_view payload, absl::Span<double> out) {
  if (payload.empty()) return absl::DataLossError("the scale is missing");
  const int scale = static_cast<int8_t>(payload.front());
  payload.remove_prefix(1);
  if (scale < kMinScale || scale > kMaxScale) {
    return absl::DataLossError(absl::StrCat("a scale of ", scale));
  }
  const size_t n = out.size();
  const auto integers = Scratch<uint64_t>(n);
  absl::Status s = TakeSequence(&payload, integers.get(), n);
  if (s.ok()) s = CheckNothingLeft(payload);
  if (!s.ok()) return s;
  const double unit = std::ldexp(1.0, -scale);
  for (size_t i = 0; i < n; ++i) {
    out[i] = static_cast<double>(static_cast<int64_t>(integers[i])) * unit;
  }
  return absl::OkStatus();
}

}  // namespace waterflow::storage
