// A lane keeps what is not acked, gives it out again after a break, and forgets
// the rest; the buffer of all lanes stays within its bound.
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "client/cpp/credit.h"
#include "client/cpp/lane.h"
#include "client/cpp/row_buffer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace waterflow::client {
namespace {

std::vector<v1::Metric> Metrics(int count) {
  std::vector<v1::Metric> metrics(count);
  for (int i = 0; i < count; ++i) metrics[i].set_name("m" + std::to_string(i));
  return metrics;
}

void AppendRows(Lane* lane, int count, size_t block_rows = 10) {
  const std::vector<double> values(lane->metrics().size(), 1.0);
  for (int i = 0; i < count; ++i) {
    lane->Append({static_cast<int64_t>(lane->end()), 0, values, {}}, block_rows,
                 Clock::now());
  }
}

TEST(Lane, RowsAreGivenOutInOrderAndAgainAfterABreak) {
  Lane lane(0, Metrics(1));
  AppendRows(&lane, 25);
  lane.Flush();
  EXPECT_EQ(lane.Take(7).end_row(), 7);
  EXPECT_EQ(lane.Take(7).end_row(), 10);  // a batch ends with its block
  EXPECT_EQ(lane.Take(100).end_row(), 20);
  lane.Acked(3);  // in the middle of the first batch
  lane.Rewind();
  const Piece again = lane.Take(100);
  EXPECT_EQ(again.first_row, 3);
  EXPECT_EQ(again.end_row(), 10);
  EXPECT_EQ(again.block->step(again.from), 3);
  lane.Take(100);
  EXPECT_EQ(lane.Take(100).end_row(), 25);
  EXPECT_EQ(lane.Due(Clock::duration::zero()), std::nullopt);
  lane.Acked(25);
  EXPECT_EQ(lane.bytes(), 0);
  EXPECT_EQ(lane.counts().rows_acked, 25);
  EXPECT_EQ(lane.counts().rows_already_there, 0);
}

TEST(Lane, ABlockThatWasSentNeverChanges) {
  Lane lane(0, Metrics(1));
  AppendRows(&lane, 3);
  lane.Flush();
  const Piece piece = lane.Take(100);
  AppendRows(&lane, 3);
  EXPECT_EQ(piece.block->rows(), 3);
  lane.Flush();
  EXPECT_EQ(lane.Take(100).first_row, 3);
}

TEST(Lane, RowsWithAndWithoutAStepDoNotShareABlock) {
  Lane lane(0, Metrics(1));
  const std::vector<double> values = {1};
  lane.Append({1, 1, values, {}}, 10, Clock::now());
  lane.Append({std::nullopt, 1, values, {}}, 10, Clock::now());
  lane.Append({2, 1, values, {}}, 10, Clock::now());
  lane.Flush();
  EXPECT_TRUE(lane.Take(100).block->has_step());
  EXPECT_FALSE(lane.Take(100).block->has_step());
  EXPECT_EQ(lane.Take(100).end_row(), 3);
}

TEST(Lane, WhatTheServerHasAlreadyIsCountedAndNotKept) {
  Lane lane(0, Metrics(2));
  AppendRows(&lane, 5);
  lane.Acked(30);  // an earlier program sent them
  AppendRows(&lane, 30);
  EXPECT_EQ(lane.end(), 35);
  EXPECT_EQ(lane.counts().rows_acked, 30);
  EXPECT_EQ(lane.counts().rows_already_there, 30);
  EXPECT_EQ(lane.counts().values_acked, 60);
  lane.Flush();
  EXPECT_EQ(lane.Take(100).first_row, 30);
}

TEST(Lane, RejectedRowsLeaveAndAreNotCountedAsStored) {
  Lane lane(0, Metrics(1));
  AppendRows(&lane, 30);
  lane.Flush();
  while (lane.Due(Clock::duration::zero())) lane.Take(10);
  lane.Rejected(10, 10);
  EXPECT_EQ(lane.acked(), 0);  // rows before them are still on their way
  lane.Acked(10);
  lane.Acked(30);
  EXPECT_EQ(lane.counts().rows_rejected, 10);
  EXPECT_EQ(lane.counts().rows_acked, 20);
  EXPECT_EQ(lane.counts().values_acked, 20);
  EXPECT_EQ(lane.bytes(), 0);
}

TEST(Lane, RejectedRowsWithNothingBeforeThemNeedNoAck) {
  Lane lane(0, Metrics(1));
  AppendRows(&lane, 10);
  lane.Take(10);
  lane.Rejected(0, 10);
  EXPECT_TRUE(lane.drained_to(10));
  EXPECT_EQ(lane.counts().rows_rejected, 10);
}

TEST(RowBuffer, FullBufferRefusesRowsAndTakesThemAgainAfterAnAck) {
  RowBuffer buffer({.capacity_bytes = 24 * 4}, [] {});
  ASSERT_TRUE(buffer.Declare(Metrics(1)).ok());
  const std::vector<double> values = {1};
  const Row row{1, 1, values, {}};
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(buffer.Append(0, row, absl::ZeroDuration()).ok());
  }
  EXPECT_EQ(buffer.Append(0, row, absl::ZeroDuration()).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(buffer.counts().rows_refused, 1);
  EXPECT_EQ(buffer.counts().buffered_bytes, 24 * 4);
  buffer.Acked(0, 4);
  EXPECT_TRUE(buffer.Append(0, row, absl::ZeroDuration()).ok());
  EXPECT_EQ(buffer.counts().rows_appended, 5);
}

TEST(RowBuffer, WhoWaitsForRoomGoesOnWhenTheWriterEnds) {
  RowBuffer buffer({.capacity_bytes = 24}, [] {});
  ASSERT_TRUE(buffer.Declare(Metrics(1)).ok());
  const std::vector<double> values = {1};
  const Row row{1, 1, values, {}};
  ASSERT_TRUE(buffer.Append(0, row, absl::ZeroDuration()).ok());
  std::thread ender([&] { buffer.Fail(absl::AbortedError("over")); });
  EXPECT_EQ(buffer.Append(0, row, absl::InfiniteDuration()).code(),
            absl::StatusCode::kAborted);
  ender.join();
}

TEST(RowBuffer, ARowMustFitItsSchema) {
  RowBuffer buffer({}, [] {});
  EXPECT_EQ(buffer.Declare({}).status().code(),
            absl::StatusCode::kInvalidArgument);
  std::vector<v1::Metric> twice = Metrics(1);
  twice.push_back(twice[0]);
  EXPECT_EQ(buffer.Declare(twice).status().code(),
            absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(buffer.Declare(Metrics(2)).ok());
  const std::vector<double> one = {1};
  EXPECT_EQ(buffer.Append(0, {1, 1, one, {}}, absl::ZeroDuration()).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(buffer.Append(9, {1, 1, one, {}}, absl::ZeroDuration()).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(RowBuffer, LanesTakeTurns) {
  RowBuffer buffer({.batch_rows = 1}, [] {});
  ASSERT_TRUE(buffer.Declare(Metrics(1)).ok());
  ASSERT_TRUE(buffer.Declare(Metrics(1)).ok());
  const std::vector<double> values = {1};
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(
        buffer.Append(i % 2, {1, 1, values, {}}, absl::ZeroDuration()).ok());
  }
  std::vector<uint32_t> order;
  Clock::time_point next = Clock::time_point::max();
  while (auto piece = buffer.Take(1, 1 << 20, true, Clock::now(), &next)) {
    order.push_back(piece->schema);
  }
  EXPECT_THAT(order, testing::ElementsAre(0, 1, 0, 1));
}

TEST(Credit, BytesOnTheirWayCountUntilTheyAreAnswered) {
  Credit credit;
  EXPECT_EQ(credit.Available(), 0);
  credit.SetLimit(100);
  EXPECT_EQ(credit.Available(), 100);
  credit.Sent(0, 10, 60);
  credit.Sent(1, 10, 60);
  EXPECT_EQ(credit.Available(), 0);
  credit.Answered(0, 9);
  EXPECT_EQ(credit.Available(), 0);
  credit.Answered(0, 10);
  EXPECT_EQ(credit.Available(), 40);
  credit.Answered(1, 50);
  EXPECT_TRUE(credit.idle());
  credit.SetLimit(0);  // withheld
  EXPECT_EQ(credit.Available(), 0);
}

}  // namespace
}  // namespace waterflow::client
