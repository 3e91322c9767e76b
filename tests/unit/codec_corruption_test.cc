// Bytes from an enemy: cut short, lengthened, with any bit flipped, or made up.
// A decoder may refuse them or yield wrong values (checksums are above it), but
// it never reads, writes or allocates out of bounds. AddressSanitizer watches.
#include <gtest/gtest.h>

#include <memory>

#include "storage/codec/chunk.h"
#include "tests/unit/codec_cases.h"

namespace waterflow::storage {
namespace {

absl::Status Decode(absl::string_view bytes, absl::Span<double> out) {
  return DecodeChunk(bytes, out);
}
absl::Status Decode(absl::string_view bytes, absl::Span<int64_t> out) {
  return DecodeInt64Column(bytes, out);
}

// Decodes from and to memory of exactly the size, so that a step outside shows.
template <typename T>
absl::Status DecodeTight(absl::string_view bytes, size_t n) {
  const auto in = std::make_unique_for_overwrite<char[]>(bytes.size());
  bytes.copy(in.get(), bytes.size());
  const auto out = std::make_unique_for_overwrite<T[]>(n);
  const absl::Status status =
      Decode({in.get(), bytes.size()}, absl::MakeSpan(out.get(), n));
  EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kDataLoss)
      << status;
  return status;
}

template <typename T>
void Attack(const std::string& bytes, size_t n) {
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(
        DecodeTight<T>(absl::string_view(bytes).substr(0, length), n).ok())
        << "cut to " << length << " of " << bytes.size() << " bytes";
  }
  EXPECT_FALSE(DecodeTight<T>(bytes + '\0', n).ok()) << "one byte more";
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string broken = bytes;
    broken[bit / 8] = static_cast<char>(broken[bit / 8] ^ (1 << (bit % 8)));
    DecodeTight<T>(broken, n).IgnoreError();
  }
}

TEST(CorruptionTest, CutOrFlippedChunksAreRefusedOrKeepTheirSize) {
  for (const size_t n : {1, 2, 5, 100, 300}) {
    for (const ChunkCase& one : ChunkCases(n, 11)) {
      SCOPED_TRACE(one.name + " x " + std::to_string(n));
      std::string bytes;
      EncodeChunk(one.values, &bytes);
      Attack<double>(bytes, n);
    }
  }
}

TEST(CorruptionTest, CutOrFlippedColumnsAreRefusedOrKeepTheirSize) {
  for (const size_t n : {1, 2, 5, 100, 300}) {
    for (const ColumnCase& one : ColumnCases(n, 12)) {
      SCOPED_TRACE(one.name + " x " + std::to_string(n));
      std::string bytes;
      EncodeInt64Column(one.values, &bytes);
      Attack<int64_t>(bytes, n);
    }
  }
}

TEST(CorruptionTest, RandomBytesBehindEachCodecId) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes(1 + random() % 60, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    bytes[0] = static_cast<char>(round % 10);
    // Half of them claim small scales, orders and widths, which leads deeper.
    for (size_t i = 1; round % 2 == 0 && i < 5 && i < bytes.size(); ++i) {
      bytes[i] = static_cast<char>(random() % 20 + 128 * (random() % 2));
    }
    const size_t n = 1 + random() % 64;
    DecodeTight<double>(bytes, n).IgnoreError();
    DecodeTight<int64_t>(bytes, n).IgnoreError();
  }
}

}  // namespace
}  // namespace waterflow::storage
