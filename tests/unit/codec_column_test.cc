// Steps and times come back, over the whole range of int64.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/codec/chunk.h"
#include "tests/unit/codec_cases.h"

namespace waterflow::storage {
namespace {

using ::testing::HasSubstr;

std::string Encoded(const std::vector<int64_t>& values) {
  std::string bytes;
  EncodeInt64Column(values, &bytes);
  return bytes;
}

void ExpectComesBack(const std::vector<int64_t>& values) {
  const std::string bytes = Encoded(values);
  EXPECT_LE(bytes.size(), 8 * values.size() + 1);
  std::vector<int64_t> out(values.size(), 77);
  const absl::Status status = DecodeInt64Column(bytes, absl::MakeSpan(out));
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_EQ(out, values);
}

TEST(Int64ColumnTest, EveryPatternOfEverySizeComesBack) {
  for (const size_t n : {1, 2, 3, 4, 5, 8, 31, 60, 512, 4096, 65536}) {
    for (const ColumnCase& one : ColumnCases(n, 2000 + n)) {
      SCOPED_TRACE(one.name + " x " + std::to_string(n));
      ExpectComesBack(one.values);
    }
  }
}

TEST(Int64ColumnTest, RandomColumnsComeBack) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 500; ++round) {
    std::vector<int64_t> values(1 + random() % 300);
    // Differences of any width, so that each order and width is chosen.
    const int shift = static_cast<int>(random() % 64);
    uint64_t value = random();
    for (int64_t& x : values) {
      value += random() >> shift;
      x = static_cast<int64_t>(value);
    }
    ExpectComesBack(values);
    if (HasFailure()) return;
  }
}

TEST(Int64ColumnTest, ConstantStepTakesAFewBytes) {
  std::vector<int64_t> steps(4096);
  for (size_t i = 0; i < steps.size(); ++i) {
    steps[i] = 100 * static_cast<int64_t>(i);
  }
  EXPECT_EQ(Encoded(steps).size(), 4u);
}

TEST(Int64ColumnTest, TimesTakeLessThanTheirWidth) {
  for (const ColumnCase& one : ColumnCases(512, 4)) {
    if (one.name == "times") {
      EXPECT_LT(Encoded(one.values).size(), 512 * 4);
    }
  }
}

TEST(Int64ColumnTest, WrongCountIsDataLoss) {
  for (const ColumnCase& one : ColumnCases(64, 5)) {
    if (one.name != "times" && one.name != "any") continue;
    SCOPED_TRACE(one.name);
    const std::string bytes = Encoded(one.values);
    for (const size_t n : {1, 63, 65}) {
      std::vector<int64_t> out(n);
      EXPECT_EQ(DecodeInt64Column(bytes, absl::MakeSpan(out)).code(),
                absl::StatusCode::kDataLoss);
    }
  }
}

TEST(Int64ColumnTest, UnknownCodecIsNamed) {
  std::vector<int64_t> out(2);
  const absl::Status status = DecodeInt64Column("\x09", absl::MakeSpan(out));
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("codec 9"));
}

TEST(Int64ColumnTest, CountOutOfBoundsIsDataLoss) {
  EXPECT_EQ(DecodeInt64Column(Encoded({1, 2}), {}).code(),
            absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace waterflow::storage
