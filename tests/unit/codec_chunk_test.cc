// Chunks come back bit for bit, whatever the values, and cost what is promised.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "storage/codec/chunk.h"
#include "tests/unit/codec_cases.h"

namespace waterflow::storage {
namespace {

using ::testing::HasSubstr;

std::string Encoded(const std::vector<double>& values) {
  std::string bytes;
  EncodeChunk(values, &bytes);
  return bytes;
}

void ExpectComesBack(const std::vector<double>& values) {
  const std::string bytes = Encoded(values);
  EXPECT_LE(bytes.size(), 8 * values.size() + 1);
  std::vector<double> out(values.size(), 77.0);
  const absl::Status status = DecodeChunk(bytes, absl::MakeSpan(out));
  ASSERT_TRUE(status.ok()) << status;
  for (size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(std::bit_cast<uint64_t>(out[i]),
              std::bit_cast<uint64_t>(values[i]))
        << "value " << i << " of " << values.size();
  }
}

TEST(ChunkTest, EveryPatternOfEverySizeComesBackBitForBit) {
  for (const size_t n : {1, 2, 3, 4, 5, 8, 31, 60, 127, 128, 129, 512, 4096}) {
    for (const ChunkCase& one : ChunkCases(n, 1000 + n)) {
      SCOPED_TRACE(one.name + " x " + std::to_string(n));
      ExpectComesBack(one.values);
    }
  }
}

TEST(ChunkTest, LargestChunkComesBack) {
  for (const ChunkCase& one : ChunkCases(kMaxChunkValues, 7)) {
    SCOPED_TRACE(one.name);
    ExpectComesBack(one.values);
  }
}

TEST(ChunkTest, EachOddValueComesBackAloneAndAmongOthers) {
  for (const double odd : OddValues()) {
    SCOPED_TRACE(absl::StrCat(absl::Hex(std::bit_cast<uint64_t>(odd))));
    ExpectComesBack({odd});
    ExpectComesBack({1.5, odd, 2.5});
    ExpectComesBack({1, 2, 3, 4, odd, 6});
    std::vector<double> many(300, 0.25);
    many[17] = 0.75;
    many[200] = odd;
    ExpectComesBack(many);
  }
}

TEST(ChunkTest, MixedRandomChunksComeBack) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 300; ++round) {
    const size_t n = 1 + random() % 700;
    const auto cases = ChunkCases(n, random());
    // Values of one kind with a stretch of another: what a chunk looks like
    // where a run diverges.
    std::vector<double> values = cases[random() % cases.size()].values;
    const auto& other = cases[random() % cases.size()].values;
    const size_t from = random() % n;
    const size_t count = random() % (n - from + 1);
    std::copy_n(other.begin() + from, count, values.begin() + from);
    ExpectComesBack(values);
    if (HasFailure()) return;
  }
}

TEST(ChunkTest, AppendsBehindWhatIsThere) {
  const std::vector<double> values = {1.5, 2.5, 3.5};
  std::string bytes = "before";
  EncodeChunk(values, &bytes);
  EXPECT_EQ(bytes, "before" + Encoded(values));
}

TEST(ChunkTest, KnownPatternsAreSmall) {
  for (const ChunkCase& one : ChunkCases(4096, 3)) {
    const double bytes = static_cast<double>(Encoded(one.values).size());
    SCOPED_TRACE(one.name + ": " + std::to_string(bytes / 4096) + " B/value");
    if (one.name.starts_with("constant")) {
      EXPECT_EQ(bytes, 9);
    }
    if (one.name.starts_with("counter")) {
      EXPECT_LT(bytes, 16);
    }
    if (one.name == "small_integers") {
      EXPECT_LT(bytes, 1.01 * 4096);
    }
    if (one.name == "loss_float32") {
      EXPECT_LT(bytes, 3.5 * 4096);
    }
    if (one.name == "any_float32_bits") {
      EXPECT_LT(bytes, 4.1 * 4096);
    }
  }
}

TEST(ChunkTest, FewFloat32ValuesTakeFourBytesEach) {
  EXPECT_LE(Encoded({0.5, 0.25, 3.75, 1.125, 9.5}).size(), 2 + 5 * 4);
}

TEST(ChunkTest, WrongCountIsDataLoss) {
  for (const ChunkCase& one : ChunkCases(64, 5)) {
    SCOPED_TRACE(one.name);
    const std::string bytes = Encoded(one.values);
    // Others say one value, or one step, of any number of them.
    if (!one.name.starts_with("noise") && !one.name.starts_with("any") &&
        !one.name.starts_with("differences")) {
      continue;
    }
    for (const size_t n : {1, 63, 65, 128}) {
      std::vector<double> out(n);
      EXPECT_EQ(DecodeChunk(bytes, absl::MakeSpan(out)).code(),
                absl::StatusCode::kDataLoss)
          << n;
    }
  }
}

TEST(ChunkTest, CountOutOfBoundsIsDataLoss) {
  const std::string bytes = Encoded({1, 2});
  EXPECT_EQ(DecodeChunk(bytes, {}).code(), absl::StatusCode::kDataLoss);
  std::vector<double> out(kMaxChunkValues + 1);
  EXPECT_EQ(DecodeChunk(bytes, absl::MakeSpan(out)).code(),
            absl::StatusCode::kDataLoss);
}

TEST(ChunkTest, UnknownCodecIsNamed) {
  std::vector<double> out(2);
  const absl::Status status =
      DecodeChunk(std::string("\xc8rest", 5), absl::MakeSpan(out));
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("codec 200"));
  EXPECT_THAT(status.message(), HasSubstr("2 values"));
}

TEST(ChunkTest, ThreadsDoNotDisturbEachOther) {
  std::vector<std::thread> threads;
  for (uint64_t seed = 0; seed < 4; ++seed) {
    threads.emplace_back([seed] {
      for (int round = 0; round < 20; ++round) {
        for (const ChunkCase& one : ChunkCases(256, seed)) {
          ExpectComesBack(one.values);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace waterflow::storage
