// Bytes on disk of the codecs (chunks.txt): what was once written is read for
// ever, and the same values give the same bytes on every machine. A failure
// prints the bytes that a deliberate change of the format makes.
#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "storage/codec/chunk.h"
#include "tests/golden/golden_file.h"

namespace waterflow::storage {
namespace {

// Items parted by blanks; "ITEMxN" stands for N of them.
std::vector<std::string> Items(const std::string& text) {
  std::vector<std::string> items;
  for (absl::string_view item : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    const std::vector<std::string> parts = absl::StrSplit(item, 'x');
    int count = 1;
    if (parts.size() == 2) {
      EXPECT_TRUE(absl::SimpleAtoi(parts[1], &count));
    }
    items.insert(items.end(), count, parts[0]);
  }
  return items;
}

// Doubles by their bits, so that every NaN can be written.
std::vector<double> Doubles(const std::string& text) {
  std::vector<double> values;
  for (const std::string& item : Items(text)) {
    values.push_back(std::bit_cast<double>(std::stoull(item, nullptr, 16)));
  }
  return values;
}

std::vector<int64_t> Int64s(const std::string& text) {
  std::vector<int64_t> values;
  for (const std::string& item : Items(text)) {
    values.push_back(std::stoll(item));
  }
  return values;
}

std::vector<uint64_t> Bits(const std::vector<double>& values) {
  std::vector<uint64_t> bits;
  for (const double v : values) bits.push_back(std::bit_cast<uint64_t>(v));
  return bits;
}

void CheckChunk(const GoldenRecord& record) {
  const std::string bytes = FromHex(Field(record, "bytes"));
  const std::vector<double> values = Doubles(Field(record, "values"));
  std::vector<double> decoded(values.size());
  const absl::Status status = DecodeChunk(bytes, absl::MakeSpan(decoded));
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(Bits(decoded), Bits(values));
  std::string encoded;
  EncodeChunk(values, &encoded);
  EXPECT_EQ(ToHex(encoded), ToHex(bytes));
}

void CheckColumn(const GoldenRecord& record) {
  const std::string bytes = FromHex(Field(record, "bytes"));
  const std::vector<int64_t> values = Int64s(Field(record, "values"));
  std::vector<int64_t> decoded(values.size());
  const absl::Status status = DecodeInt64Column(bytes, absl::MakeSpan(decoded));
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(decoded, values);
  std::string encoded;
  EncodeInt64Column(values, &encoded);
  EXPECT_EQ(ToHex(encoded), ToHex(bytes));
}

TEST(GoldenTest, ChunksAndColumnsKeepTheirBytes) {
  const auto records = ReadGoldenFile("chunks.txt");
  std::set<std::string> codecs;
  for (const GoldenRecord& record : records) {
    SCOPED_TRACE(Field(record, "name"));
    const std::string kind = Field(record, "kind");
    codecs.insert(kind + Field(record, "bytes").substr(0, 2));
    if (kind == "chunk") {
      CheckChunk(record);
    } else {
      ASSERT_EQ(kind, "column");
      CheckColumn(record);
    }
  }
  // A codec without a golden file may change unseen.
  EXPECT_EQ(codecs,
            (std::set<std::string>{"chunk00", "chunk01", "chunk02", "chunk03",
                                   "chunk04", "chunk05", "chunk06", "chunk07",
                                   "column00", "column01"}));
}

}  // namespace
}  // namespace waterflow::storage
