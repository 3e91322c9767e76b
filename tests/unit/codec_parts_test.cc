// The steps inside the codecs: each undoes its inverse.
#include <gtest/gtest.h>
#include <zstd.h>

#include "storage/codec/compress.h"
#include "storage/codec/float32.h"
#include "storage/codec/planes.h"
#include "tests/unit/codec_cases.h"

namespace waterflow::storage {
namespace {

TEST(PlanesTest, UnshuffleUndoesShuffleOfEveryWidth) {
  std::mt19937_64 random(1);
  for (const size_t n : {1, 7, 8, 9, 64, 1000}) {
    for (int width = 1; width <= 8; ++width) {
      std::vector<uint64_t> values(n);
      for (uint64_t& v : values) v = random() >> (64 - 8 * width);
      std::vector<uint8_t> planes(width * n);
      Shuffle(values.data(), n, width, planes.data());
      EXPECT_EQ(planes[0], values[0] & 0xff);
      EXPECT_EQ(planes[(width - 1) * n], values[0] >> (8 * (width - 1)));
      std::vector<uint64_t> back(n, 99);
      Unshuffle(planes.data(), n, width, back.data());
      EXPECT_EQ(back, values);
    }
  }
}

TEST(PlanesTest, OrderedFloatsSortAsFloatsDo) {
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

TEST(PlanesTest, OrderedDeltasComeBack) {
  std::mt19937_64 random(2);
  std::vector<uint64_t> bits(500);
  for (uint64_t& b : bits) b = random();
  std::vector<uint64_t> deltas(bits.size());
  OrderedDeltas(bits.data(), bits.size(), deltas.data());
  FromOrderedDeltas(deltas.data(), deltas.size());
  EXPECT_EQ(deltas, bits);
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
      ASSERT_TRUE(NarrowToFloat32s(&wide, 1, &back));
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
    EXPECT_FALSE(NarrowToFloat32s(&value, 1, &narrow)) << std::hex << bits;
  }
}

TEST(CompressTest, NeverMoreThanAByteLonger) {
  std::mt19937_64 random(3);
  for (const size_t n : {0, 1, 10, 24, 100, 5000}) {
    std::vector<uint8_t> noise(n);
    for (uint8_t& b : noise) b = static_cast<uint8_t>(random());
    std::string packed;
    AppendCompressed(noise.data(), n, &packed);
    EXPECT_LE(packed.size(), n + 1);
    std::vector<uint8_t> back(n);
    EXPECT_TRUE(Decompress(packed, back.data(), n).ok());
    EXPECT_EQ(back, noise);
  }
}

TEST(CompressTest, FramesOfAnyLevelAreRead) {
  const std::string text(3000, 'w');
  for (const int level : {-5, 1, 19}) {
    std::string frame(ZSTD_compressBound(text.size()), '\0');
    frame.resize(ZSTD_compress(frame.data(), frame.size(), text.data(),
                               text.size(), level));
    std::string back(text.size(), '\0');
    EXPECT_TRUE(Decompress("\1" + frame,
                           reinterpret_cast<uint8_t*>(back.data()), back.size())
                    .ok());
    EXPECT_EQ(back, text);
  }
}

TEST(CompressTest, UnknownFormIsDataLoss) {
  uint8_t out[2];
  EXPECT_EQ(Decompress("\7ab", out, 2).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Decompress("", out, 2).code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace waterflow::storage
