// Narrow values become float64 exactly: every float16 and every bfloat16.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <string>
#include <vector>

#include "storage/format/value_type.h"

namespace waterflow::storage {
namespace {

// A number of `exponent_bits` and `mantissa_bits` by the definition of IEEE
// 754, as bits of a float64.
uint64_t Expected(uint32_t bits, int exponent_bits, int mantissa_bits) {
  const uint32_t mantissa = bits & ((1u << mantissa_bits) - 1);
  const int top = (1 << exponent_bits) - 1;
  const int exponent = static_cast<int>(bits >> mantissa_bits) & top;
  const uint64_t sign = uint64_t{bits >> 15} << 63;
  const int bias = top / 2;
  if (exponent == top) {  // infinity, or a NaN with its payload
    return sign | uint64_t{0x7ff} << 52 |
           uint64_t{mantissa} << (52 - mantissa_bits);
  }
  const double magnitude = exponent == 0
                               ? std::ldexp(mantissa, 1 - bias - mantissa_bits)
                               : std::ldexp(mantissa + (1u << mantissa_bits),
                                            exponent - bias - mantissa_bits);
  return sign | std::bit_cast<uint64_t>(magnitude);
}

void ExpectAllExact(ValueType type, int exponent_bits, int mantissa_bits) {
  ASSERT_EQ(ValueBytes(type), 2u);
  std::string values;
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    values.push_back(static_cast<char>(bits));
    values.push_back(static_cast<char>(bits >> 8));
  }
  std::vector<double> wide(65536);
  WidenValues(type, values, wide.data());
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    ASSERT_EQ(std::bit_cast<uint64_t>(wide[bits]),
              Expected(bits, exponent_bits, mantissa_bits))
        << std::hex << bits;
  }
}

TEST(ValueTypeTest, EveryFloat16IsWidenedExactly) {
  ExpectAllExact(ValueType::kFloat16, 5, 10);
}

TEST(ValueTypeTest, EveryBFloat16IsWidenedExactly) {
  ExpectAllExact(ValueType::kBFloat16, 8, 7);
}

}  // namespace
}  // namespace waterflow::storage
