// What a batch looks like on the wire: which width a column takes, what becomes
// a span, how missing values are said.
#include <bit>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "client/cpp/batch_encoder.h"
#include "client/cpp/row_block.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace waterflow::client {
namespace {

RowBlock BlockOf(const std::vector<std::vector<double>>& rows) {
  RowBlock block(rows.front().size(), true, true);
  for (size_t r = 0; r < rows.size(); ++r) {
    block.Append(
        {static_cast<int64_t>(r), static_cast<int64_t>(r * 10), rows[r], {}});
  }
  return block;
}

TEST(BatchEncoder, Float32IsExactByBits) {
  EXPECT_EQ(ExactFloat32(1.5), std::bit_cast<uint32_t>(1.5f));
  EXPECT_EQ(ExactFloat32(-0.0), 0x80000000u);
  EXPECT_EQ(ExactFloat32(std::numeric_limits<double>::infinity()), 0x7f800000u);
  // The smallest float32 denormal fits, half of it does not.
  EXPECT_EQ(ExactFloat32(0x1p-149), 1u);
  EXPECT_EQ(ExactFloat32(0x1p-150), std::nullopt);
  EXPECT_EQ(ExactFloat32(0.1), std::nullopt);
  EXPECT_EQ(ExactFloat32(1e300), std::nullopt);
}

TEST(BatchEncoder, NaNPayloadsSurviveOrKeepTheirWidth) {
  const auto narrow = [](uint64_t bits) {
    return ExactFloat32(std::bit_cast<double>(bits));
  };
  EXPECT_EQ(narrow(0x7ff8000000000000), 0x7fc00000u);
  EXPECT_EQ(narrow(0xfff8000000000000), 0xffc00000u);
  // Signalling, with a payload that float32 can hold.
  EXPECT_EQ(narrow(0x7ff4000020000000), 0x7fa00001u);
  // A payload in the low bits would be lost.
  EXPECT_EQ(narrow(0x7ff8000000000001), std::nullopt);
  EXPECT_EQ(narrow(0x7ff0000000000001), std::nullopt);
}

TEST(BatchEncoder, OneWideValueMakesItsColumnWide) {
  const RowBlock block = BlockOf({{1.0, 1.0}, {2.0, 0.1}});
  const v1::Batch batch = EncodeBatch(block, 0, 2, 7, 100);
  EXPECT_EQ(batch.schema_id(), 7);
  EXPECT_EQ(batch.first_row(), 100);
  EXPECT_EQ(batch.rows(), 2);
  EXPECT_EQ(batch.steps().size(), 16);
  EXPECT_EQ(batch.times().size(), 16);
  ASSERT_EQ(batch.columns_size(), 2);
  EXPECT_EQ(batch.columns(0).type(), v1::VALUE_TYPE_FLOAT32);
  EXPECT_EQ(batch.columns(0).values().size(), 8);
  EXPECT_EQ(batch.columns(1).type(), v1::VALUE_TYPE_FLOAT64);
  EXPECT_EQ(batch.columns(1).values().size(), 16);
  // Only the rows that are sent decide.
  EXPECT_EQ(EncodeBatch(block, 0, 1, 7, 100).columns_size(), 1);
}

TEST(BatchEncoder, NeighboursOfOneTypeShareAHeader) {
  const v1::Batch batch =
      EncodeBatch(BlockOf({{1, 2, 0.1, 0.2, 3}}), 0, 1, 0, 0);
  ASSERT_EQ(batch.columns_size(), 3);
  EXPECT_EQ(batch.columns(0).metric(), 0);
  EXPECT_EQ(batch.columns(0).span(), 2);
  EXPECT_EQ(batch.columns(1).metric(), 2);
  EXPECT_EQ(batch.columns(1).span(), 2);
  EXPECT_EQ(batch.columns(2).metric(), 4);
  EXPECT_EQ(batch.columns(2).span(), 1);
}

TEST(BatchEncoder, MissingValuesTravelAsABitmap) {
  RowBlock block(3, true, false);
  const std::vector<double> values = {1, 2, 3};
  const bool middle_missing[] = {true, false, true};
  block.Append({0, std::nullopt, values, {}});
  block.Append({1, std::nullopt, values, middle_missing});
  block.Append({2, std::nullopt, values, {}});
  const v1::Batch batch = EncodeBatch(block, 0, 3, 0, 0);
  EXPECT_TRUE(batch.times().empty());
  ASSERT_EQ(batch.columns_size(), 3);
  EXPECT_EQ(batch.columns(1).present(), std::string(1, '\5'));
  EXPECT_EQ(batch.columns(1).values().size(), 8);
  EXPECT_TRUE(batch.columns(2).present().empty());
  EXPECT_EQ(block.CountValues(0, 3), 8);
  // A metric that these rows lack altogether has no column.
  const v1::Batch second = EncodeBatch(block, 1, 2, 0, 1);
  ASSERT_EQ(second.columns_size(), 2);
  EXPECT_EQ(second.columns(1).metric(), 2);
}

TEST(BatchEncoder, RowsWithinABoundMakeAMessageWithinIt) {
  for (const size_t metrics : {1, 7, 100, 5000}) {
    for (const size_t bytes : {100, 1000, 65536, 1 << 20}) {
      const size_t rows = RowsWithin(bytes, metrics);
      if (rows == 0) continue;
      // The worst case: nothing fits float32 and every column is sparse.
      RowBlock block(metrics, true, true);
      const std::vector<double> values(metrics, 0.1);
      const auto present = std::make_unique<bool[]>(metrics);
      for (size_t r = 0; r < rows; ++r) {
        for (size_t m = 0; m < metrics; ++m) present[m] = r > 0 || rows == 1;
        block.Append(
            {1, 1, values, absl::MakeConstSpan(present.get(), metrics)});
      }
      EXPECT_LE(
          EncodeBatch(block, 0, rows, 1, uint64_t{1} << 60).ByteSizeLong(),
          bytes)
          << metrics << " metrics, " << rows << " rows";
    }
  }
}

}  // namespace
}  // namespace waterflow::client
