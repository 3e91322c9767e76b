// What the benchmark writes by hand is what the generated messages read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "bench/batch.h"
#include "bench/w1.h"
#include "bench/worker_load.h"
#include "waterflow/v1/ingest.pb.h"

namespace waterflow::bench {
namespace {

// As the stream sends it.
v1::Batch Decode(const EncodedBatch& batch, const Shift& shift = {}) {
  std::string bytes;
  AppendBatchHead(batch, shift, bytes);
  bytes += batch.columns;
  v1::StreamRequest request;
  EXPECT_TRUE(request.ParseFromString(bytes));
  EXPECT_TRUE(request.has_batch());
  EXPECT_EQ(request.batch().ByteSizeLong(), BatchSize(batch, shift));
  // Nothing unusual in its encoding either.
  EXPECT_EQ(request.SerializeAsString(), bytes);
  return request.batch();
}

template <typename Number>
std::vector<Number> Numbers(const std::string& bytes) {
  std::vector<Number> numbers(bytes.size() / sizeof(Number));
  std::memcpy(numbers.data(), bytes.data(), bytes.size());
  return numbers;
}

// Column by metric, widened.
std::vector<std::vector<double>> Columns(const v1::Batch& batch) {
  std::vector<std::vector<double>> columns;
  for (const v1::Column& column : batch.columns()) {
    EXPECT_EQ(column.metric(), columns.size());
    std::vector<double> values;
    if (column.type() == v1::VALUE_TYPE_FLOAT32) {
      for (const float value : Numbers<float>(column.values())) {
        values.push_back(value);
      }
    } else {
      EXPECT_EQ(column.type(), v1::VALUE_TYPE_FLOAT64);
      values = Numbers<double>(column.values());
    }
    const uint32_t span = column.span() == 0 ? 1 : column.span();
    EXPECT_EQ(values.size(), size_t{span} * batch.rows());
    for (uint32_t i = 0; i < span; ++i) {
      columns.emplace_back(values.begin() + i * batch.rows(),
                           values.begin() + (i + 1) * batch.rows());
    }
  }
  return columns;
}

LaneRows Lane(std::vector<std::vector<double>> columns) {
  LaneRows lane;
  for (size_t r = 0; r < columns[0].size(); ++r) {
    lane.steps.push_back(static_cast<int64_t>(r) * 10);
    lane.times_ns.push_back(1'700'000'000'000'000'000 +
                            static_cast<int64_t>(r));
  }
  lane.metrics.resize(columns.size());
  lane.columns = std::move(columns);
  return lane;
}

TEST(BatchTest, BatchesOfW1ReadBackAsTheyWere) {
  const Dataset dataset = MakeW1({.workers = 2, .metrics = 100, .steps = 40});
  for (const uint32_t batch_rows : {1u, 16u, 64u}) {
    const LaneRows& lane = dataset[1].lanes[0];
    uint64_t row = 0;
    for (const EncodedBatch& encoded : EncodeLane(3, lane, batch_rows)) {
      const v1::Batch batch = Decode(encoded);
      EXPECT_EQ(batch.schema_id(), 3);
      EXPECT_EQ(batch.first_row(), row);
      EXPECT_EQ(encoded.values, uint64_t{batch.rows()} * 100);
      const auto columns = Columns(batch);
      ASSERT_EQ(columns.size(), 100);
      const auto steps = Numbers<int64_t>(batch.steps());
      const auto times = Numbers<int64_t>(batch.times());
      ASSERT_EQ(steps.size(), batch.rows());
      ASSERT_EQ(times.size(), batch.rows());
      for (uint32_t r = 0; r < batch.rows(); ++r) {
        EXPECT_EQ(steps[r], lane.steps[row + r]);
        EXPECT_EQ(times[r], lane.times_ns[row + r]);
        for (size_t m = 0; m < 100; ++m) {
          EXPECT_EQ(columns[m][r], lane.columns[m][row + r]);
        }
      }
      row += batch.rows();
    }
    EXPECT_EQ(row, 40);
  }
}

TEST(BatchTest, NeighboursOfOneTypeShareASpan) {
  const auto batches = EncodeLane(0, Lane({{0.5}, {2}, {0.1}, {0.3}, {7}}), 1);
  ASSERT_EQ(batches.size(), 1);
  const v1::Batch batch = Decode(batches[0]);
  ASSERT_EQ(batch.columns_size(), 3);
  EXPECT_EQ(batch.columns(0).type(), v1::VALUE_TYPE_FLOAT32);
  EXPECT_EQ(batch.columns(0).span(), 2);
  EXPECT_EQ(batch.columns(1).type(), v1::VALUE_TYPE_FLOAT64);
  EXPECT_EQ(batch.columns(1).metric(), 2);
  EXPECT_EQ(batch.columns(1).span(), 2);
  EXPECT_EQ(batch.columns(2).type(), v1::VALUE_TYPE_FLOAT32);
  EXPECT_EQ(batch.columns(2).metric(), 4);
}

TEST(BatchTest, EveryBitPatternSurvives) {
  const std::vector<double> odd = {
      -0.0,
      std::numeric_limits<double>::infinity(),
      -std::numeric_limits<double>::infinity(),
      std::numeric_limits<double>::quiet_NaN(),
      std::bit_cast<double>(uint64_t{0xfff8000000000000}),
      std::bit_cast<double>(uint64_t{0x7ff0000000000001}),  // signalling
      std::bit_cast<double>(uint64_t{0x7ff8000000000001}),
      std::numeric_limits<double>::denorm_min(),
      std::numeric_limits<double>::max(),
  };
  for (const double value : odd) {
    const auto batches = EncodeLane(0, Lane({{value}}), 1);
    const auto columns = Columns(Decode(batches[0]));
    ASSERT_EQ(columns.size(), 1);
    EXPECT_EQ(std::bit_cast<uint64_t>(columns[0][0]),
              std::bit_cast<uint64_t>(value));
  }
}

TEST(BatchTest, ShiftMovesRowsStepsAndTimes) {
  const auto batches = EncodeLane(0, Lane({{1, 2, 3, 4}}), 2);
  ASSERT_EQ(batches.size(), 2);
  const v1::Batch batch =
      Decode(batches[1], {.row = 4'000'000'000, .step = 1000, .time_ns = 7});
  EXPECT_EQ(batch.first_row(), 4'000'000'002);
  EXPECT_EQ(Numbers<int64_t>(batch.steps()),
            (std::vector<int64_t>{1020, 1030}));
  EXPECT_EQ(Numbers<int64_t>(batch.times()),
            (std::vector<int64_t>{1'700'000'000'000'000'009,
                                  1'700'000'000'000'000'010}));
}

TEST(BatchTest, CursorNumbersRowsWithoutAGapOverRounds) {
  const Dataset dataset = MakeW1({.workers = 5, .metrics = 3, .steps = 7});
  std::vector<WorkerLoad> workers(dataset.size());
  for (size_t w = 0; w < workers.size(); ++w) {
    workers[w].batches = EncodeLane(0, dataset[w].lanes[0], 4);
    workers[w].round = {.row = 7, .step = 7, .time_ns = 1000};
  }
  BatchCursor cursor(workers, 2, /*repeat=*/true);
  uint64_t row = 0;
  for (int i = 0; i < 20; ++i) {
    const EncodedBatch* batch = cursor.Peek();
    ASSERT_NE(batch, nullptr);
    EXPECT_EQ(batch->first_row + cursor.shift().row, row);
    row += batch->rows;
    cursor.Advance();
  }
}

TEST(BatchTest, CursorEndsWhenItDoesNotRepeat) {
  std::vector<WorkerLoad> workers(1);
  workers[0].batches = EncodeLane(0, Lane({{1, 2, 3}}), 2);
  BatchCursor cursor(workers, 0, /*repeat=*/false);
  ASSERT_NE(cursor.Peek(), nullptr);
  cursor.Advance();
  ASSERT_NE(cursor.Peek(), nullptr);
  cursor.Advance();
  EXPECT_EQ(cursor.Peek(), nullptr);
}

}  // namespace
}  // namespace waterflow::bench
