#include "storage/format/value_type.h"

#include <bit>
#include <cstring>

#include "storage/codec/float32.h"
#include "storage/format/bytes.h"

namespace waterflow::storage {
namespace {

uint32_t FromBFloat16(uint16_t bits) { return uint32_t{bits} << 16; }

// binary16: a sign, 5 bits of exponent above 15, 10 bits of mantissa.
uint32_t FromFloat16(uint16_t bits) {
  const uint32_t sign = uint32_t{bits & 0x8000u} << 16;
  const uint32_t exponent = (bits >> 10) & 31;
  const uint32_t mantissa = bits & 1023;
  if (exponent == 31) return sign | 0x7f800000 | mantissa << 13;
  if (exponent > 0) return sign | (exponent + 112) << 23 | mantissa << 13;
  // Zero and denormals: the mantissa counts 2^-24, which float32 holds.
  const float small = static_cast<float>(mantissa) * 0x1p-24f;
  return sign | std::bit_cast<uint32_t>(small);
}

template <typename ToFloat32>
void WidenHalves(absl::string_view values, double* out, ToFloat32 to_float32) {
  for (size_t i = 0; i < values.size() / 2; ++i) {
    const uint32_t bits =
        to_float32(LoadFixed<uint16_t>(values.data() + 2 * i));
    WidenFloat32s(&bits, 1, out + i);
  }
}

}  // namespace

void WidenValues(ValueType type, absl::string_view values, double* out) {
  switch (type) {
    case ValueType::kFloat64:
      std::memcpy(out, values.data(), values.size());
      return;
    case ValueType::kFloat32:
      WidenFloat32s(values.data(), values.size() / 4, out);
      return;
    case ValueType::kInt64:
      for (size_t i = 0; i < values.size() / 8; ++i) {
        out[i] = static_cast<double>(LoadFixed<int64_t>(values.data() + 8 * i));
      }
      return;
    case ValueType::kFloat16:
      WidenHalves(values, out, FromFloat16);
      return;
    case ValueType::kBFloat16:
      WidenHalves(values, out, FromBFloat16);
      return;
  }
}

}  // namespace waterflow::storage
