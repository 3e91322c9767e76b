// The steps inside the codecs: each undoes its inverse.
#include <gtest/gtest.h>

#include "storage/codec/bits.h"
#include "storage/codec/chunk.h"
#include "storage/codec/decimal.h"
#include "storage/codec/float32.h"
#include "storage/codec/integers.h"
#include "storage/codec/ordered.h"
#include "storage/codec/packed.h"
#include "tests/unit/codec_cases.h"

namespace waterflow::storage {
namespace {

TEST(BitsTest, GroupsOfEveryWidthComeBack) {
  std::mt19937_64 random(1);
  for (int width = 0; width <= 32; ++width) {
    std::vector<uint32_t> values(kGroupValues);
    for (uint32_t& v : values) {
      v = static_cast<uint32_t>((random() >> 32) & ((1ull << width) - 1));
    }
    // Exactly as large as promised: AddressSanitizer watches.
    std::vector<uint8_t> bytes(PackedBytes(kGroupValues, width));
    PackGroup(values.data(), width, bytes.data());
    std::vector<uint32_t> back(kGroupValues, 99);
    UnpackGroup(bytes.data(), width, back.data());
    EXPECT_EQ(back, values) << width;
  }
}

TEST(BitsTest, StreamsOfEveryWidthComeBack) {
  std::mt19937_64 random(2);
  for (int width = 0; width <= 64; ++width) {
    for (const size_t n : {1, 2, 7, 8, 9, 63, 64, 127, 128}) {
      std::vector<uint64_t> values(n);
      for (uint64_t& v : values) {
        v = width == 0 ? 0 : random() >> (64 - width);
      }
      std::vector<uint8_t> bytes(PackedBytes(n, width) + 8);
      PackStream(values.data(), n, width, bytes.data());
      bytes.resize(PackedBytes(n, width));
      bytes.shrink_to_fit();
      std::vector<uint64_t> back(n, 99);
      UnpackStream(bytes.data(), n, width, back.data());
      EXPECT_EQ(back, values) << n << " of " << width << " bits";
    }
  }
}

template <typename U>
void ExpectPackedComesBack(const std::vector<U>& values, const char* what) {
  std::string bytes;
  AppendPacked(values.data(), values.size(), &bytes);
  const size_t groups = (values.size() + kGroupValues - 1) / kGroupValues;
  EXPECT_LE(bytes.size(), sizeof(U) * values.size() + 11 * groups) << what;
  absl::string_view rest = bytes;
  std::vector<U> back(values.size(), 99);
  EXPECT_TRUE(TakePacked(&rest, back.data(), back.size())) << what;
  EXPECT_TRUE(rest.empty()) << what;
  EXPECT_EQ(back, values) << what;
}

template <typename U>
void ExpectPackedOfAllKindsComesBack() {
  std::mt19937_64 random(3);
  for (const size_t n : {0, 1, 15, 16, 17, 127, 128, 129, 300}) {
    for (int width = 0; width <= static_cast<int>(8 * sizeof(U)); ++width) {
      std::vector<U> values(n);
      for (U& v : values) {
        v = static_cast<U>(width == 0 ? 0 : random() >> (64 - width));
        v -= U{1} << (8 * sizeof(U) - 2);
      }
      ExpectPackedComesBack(values, "of one width");
      for (size_t outliers = 1; outliers <= 5 && n > 0; ++outliers) {
        values[random() % n] = static_cast<U>(random());
        ExpectPackedComesBack(values, "with outliers");
      }
    }
  }
}

TEST(PackedTest, IntegersOf32BitsComeBack) {
  ExpectPackedOfAllKindsComesBack<uint32_t>();
}

TEST(PackedTest, IntegersOf64BitsComeBack) {
  ExpectPackedOfAllKindsComesBack<uint64_t>();
}

// An outlier so far below the base that its distance wraps to a small one.
TEST(PackedTest, DistancesThatWrapComeBack) {
  std::vector<uint64_t> values(kGroupValues);
  for (const int bits : {60, 61, 62}) {
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = (1ull << bits) + 1000 * i;
    }
    values[31] = 1ull << 63;
    ExpectPackedComesBack(values, "lowest");
    values[77] = (1ull << 63) - 1;
    ExpectPackedComesBack(values, "lowest and highest");
  }
}

TEST(PackedTest, AFewOutliersCostAFewBytesEach) {
  std::vector<uint64_t> values(kGroupValues);
  for (size_t i = 0; i < values.size(); ++i) values[i] = 1000 + i % 4;
  std::string even;
  AppendPacked(values.data(), values.size(), &even);
  values[50] = 0;
  values[70] = 1ull << 40;
  std::string odd;
  AppendPacked(values.data(), values.size(), &odd);
  EXPECT_LE(odd.size(), even.size() + 16);
}

TEST(OrderedTest, OrderedFloatsSortAsFloatsDo) {
  const std::vector<float> sorted = {-std::numeric_limits<float>::infinity(),
                                     -3.0f,
                                     -1e-40f,
                                     -0.0f,
                                     0.0f,
                                     1e-40f,
                                     2.0f,
                                     std::numeric_limits<float>::infinity()};
  for (size_t i = 1; i < sorted.size(); ++i) {
    EXPECT_LT(
        static_cast<int32_t>(Ordered(std::bit_cast<uint32_t>(sorted[i - 1]))),
        static_cast<int32_t>(Ordered(std::bit_cast<uint32_t>(sorted[i]))))
        << i;
  }
  for (const double odd : OddValues()) {
    const auto bits = std::bit_cast<uint64_t>(odd);
    EXPECT_EQ(Ordered(Ordered(bits)), bits);
  }
}

TEST(Float32Test, EveryNaNPatternWidensAndNarrowsByBits) {
  for (uint32_t mantissa = 1; mantissa < (1u << 23); mantissa += 97) {
    for (const uint32_t sign : {0u, 1u << 31}) {
      const uint32_t bits = sign | 0x7f800000u | mantissa;
      double wide = 0;
      WidenFloat32s(&bits, 1, &wide);
      ASSERT_EQ(std::bit_cast<uint64_t>(wide),
                std::bit_cast<uint64_t>(WidenedFloat32(bits)));
      uint32_t back = 0;
      ASSERT_EQ(NarrowToFloat32s(&wide, 1, &back), 1u);
      ASSERT_EQ(back, bits);
    }
  }
}

TEST(Float32Test, WhatIsNoFloat32IsRefused) {
  for (const uint64_t bits :
       {0x3ff0000000000001ull, 0x7ff0000000000001ull, 0x7ff8000000000001ull,
        0x0000000000000001ull, 0x7fe0000000000000ull, 0x3690000000000000ull,
        0x36a0000000000001ull}) {
    const double value = FromBits(bits);
    uint32_t narrow = 0;
    EXPECT_EQ(NarrowToFloat32s(&value, 1, &narrow), 0u) << std::hex << bits;
  }
}

TEST(DecimalTest, TheFirstValueThatDoesNotFitIsNamed) {
  std::vector<double> values(200, 36.6);
  std::vector<uint64_t> digits(values.size());
  EXPECT_EQ(ToDecimals(values, 1, digits.data()), 200u);
  EXPECT_EQ(digits[7], 366u);
  for (const double odd :
       {36.66, -0.0, 1e300, 0.1 + 0.2, std::numeric_limits<double>::quiet_NaN(),
        std::numeric_limits<double>::infinity()}) {
    values[77] = odd;
    EXPECT_EQ(ToDecimals(values, 1, digits.data()), 77u) << odd;
  }
}

TEST(DecimalTest, DifferencesOfAClockAreNanosecondsAndAFewSteps) {
  std::mt19937_64 random(4);
  double before = 16000.000000001;
  std::vector<double> values;
  for (int i = 0; i < 500; ++i) {
    const double now = (before * 1e9 + random() % 1'000'000'000) / 1e9;
    values.push_back(now - before);
    before = std::rint(now * 1e9) / 1e9;
  }
  std::string bytes;
  EncodeChunk(values, &bytes);
  EXPECT_EQ(bytes[0], 6);
  EXPECT_LT(bytes.size(), 500 * 5);
}

TEST(MixedTest, ADivergedRunCostsABitForEachNan) {
  std::mt19937_64 random(5);
  std::vector<double> values(4096);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = i < 1000 ? static_cast<double>(i)
                         : FromBits(0x7ff8000000000000 | random() << 63);
  }
  std::string bytes;
  EncodeChunk(values, &bytes);
  EXPECT_EQ(bytes[0], 7);
  EXPECT_LT(bytes.size(), 4096 / 8 + 200);
}

TEST(IntegersTest, TheFirstValueThatDoesNotFitIsNamed) {
  std::vector<double> values(200, 0.25);
  std::vector<uint64_t> integers(values.size());
  EXPECT_EQ(ToIntegers(values, 2, integers.data()), 200u);
  EXPECT_EQ(integers[9], 1u);
  for (const double odd :
       {0.125, -0.0, 9e18, 1e300, std::numeric_limits<double>::quiet_NaN(),
        -std::numeric_limits<double>::infinity()}) {
    values[130] = odd;
    EXPECT_EQ(ToIntegers(values, 2, integers.data()), 130u) << odd;
  }
}

}  // namespace
}  // namespace waterflow::storage
