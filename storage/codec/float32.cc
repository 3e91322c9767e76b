#include "storage/codec/float32.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "storage/codec/ordered.h"
#include "storage/codec/sequence.h"

namespace waterflow::storage {
namespace {

// Values looked at before the next decision to go on: most chunks that are not
// float32 show it in the first few.
constexpr size_t kStride = 128;

constexpr uint64_t kSign64 = 1ull << 63;
constexpr uint64_t kExponent64 = 0x7ffull << 52;
constexpr uint64_t kMantissa64 = (1ull << 52) - 1;
constexpr uint32_t kExponent32 = 0xffu << 23;
constexpr uint32_t kMantissa32 = (1u << 23) - 1;
constexpr int kMantissaShift = 52 - 23;

bool IsNan(uint64_t bits) { return (bits & ~kSign64) > kExponent64; }
bool IsNan(uint32_t bits) { return (bits & ~(1u << 31)) > kExponent32; }

uint64_t WidenNan(uint32_t bits) {
  return (static_cast<uint64_t>(bits >> 31) << 63) | kExponent64 |
         (static_cast<uint64_t>(bits & kMantissa32) << kMantissaShift);
}

uint32_t NarrowNan(uint64_t bits) {
  return static_cast<uint32_t>(bits >> 63) << 31 | kExponent32 |
         static_cast<uint32_t>((bits & kMantissa64) >> kMantissaShift);
}

// Narrows by the processor; false when a value does not come back.
bool NarrowFast(const double* values, size_t n, uint32_t* bits) {
  uint64_t lost = 0;
  for (size_t i = 0; i < n; ++i) {
    const float narrow = static_cast<float>(values[i]);
    const double wide = static_cast<double>(narrow);
    bits[i] = std::bit_cast<uint32_t>(narrow);
    lost |= std::bit_cast<uint64_t>(wide) ^ std::bit_cast<uint64_t>(values[i]);
  }
  return lost == 0;
}

size_t NarrowExactly(const double* values, size_t n, uint32_t* bits) {
  for (size_t i = 0; i < n; ++i) {
    const uint64_t wide = std::bit_cast<uint64_t>(values[i]);
    if (IsNan(wide)) {
      bits[i] = NarrowNan(wide);
      if (WidenNan(bits[i]) != wide) return i;
    } else if (!NarrowFast(values + i, 1, bits + i)) {
      return i;
    }
  }
  return n;
}

}  // namespace

void WidenFloat32s(const void* floats, size_t n, double* out) {
  const auto bits_of = [floats](size_t i) {
    uint32_t bits;
    std::memcpy(&bits, static_cast<const char*>(floats) + 4 * i, sizeof(bits));
    return bits;
  };
  uint32_t any_nan = 0;
  for (size_t i = 0; i < n; ++i) {
    any_nan |= IsNan(bits_of(i));
    out[i] = static_cast<double>(std::bit_cast<float>(bits_of(i)));
  }
  for (size_t i = 0; any_nan != 0 && i < n; ++i) {
    if (!IsNan(bits_of(i))) continue;
    const uint64_t wide = WidenNan(bits_of(i));
    std::memcpy(out + i, &wide, sizeof(wide));
  }
}

size_t NarrowToFloat32s(const double* values, size_t n, uint32_t* bits) {
  for (size_t begin = 0; begin < n; begin += kStride) {
    const size_t count = std::min(kStride, n - begin);
    if (NarrowFast(values + begin, count, bits + begin)) continue;
    const size_t exact = NarrowExactly(values + begin, count, bits + begin);
    if (exact < count) return begin + exact;
  }
  return n;
}

Float32s Float32s::FromDoubles(absl::Span<const double> values) {
  Float32s narrow;
  narrow.bits_ = Scratch<uint32_t>(values.size());
  narrow.fitting_ =
      NarrowToFloat32s(values.data(), values.size(), narrow.bits_.get());
  return narrow;
}

void Float32s::AppendTo(std::string* out) && {
  uint32_t* const bits = bits_.get();
  for (size_t i = 0; i < fitting_; ++i) bits[i] = Ordered(bits[i]);
  AppendSequence(bits, fitting_, out);
}

absl::Status DecodeFloat32(absl::string_view payload, absl::Span<double> out) {
  const size_t n = out.size();
  const auto bits = Scratch<uint32_t>(n);
  absl::Status s = TakeSequence(&payload, bits.get(), n);
  if (s.ok()) s = CheckNothingLeft(payload);
  if (!s.ok()) return s;
  for (size_t i = 0; i < n; ++i) bits[i] = Ordered(bits[i]);
  WidenFloat32s(bits.get(), n, out.data());
  return absl::OkStatus();
}

}  // namespace waterflow::storage
