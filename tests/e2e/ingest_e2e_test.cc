// What is streamed in comes back, through the real server and its generated
// stubs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "tests/e2e/server_fixture.h"

namespace waterflow::testing {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class IngestE2eTest : public ServerFixture {};

constexpr double kInf = std::numeric_limits<double>::infinity();

// Bit patterns, as NaN equals nothing.
std::vector<uint64_t> Bits(const google::protobuf::RepeatedField<double>& all) {
  std::vector<uint64_t> bits;
  for (const double value : all) bits.push_back(std::bit_cast<uint64_t>(value));
  return bits;
}

std::vector<uint64_t> Bits(const std::vector<double>& all) {
  std::vector<uint64_t> bits;
  for (const double value : all) bits.push_back(std::bit_cast<uint64_t>(value));
  return bits;
}

v1::Column ColumnOf(uint32_t metric, v1::ValueType type,
                    const std::string& values, const std::string& present = "",
                    uint32_t span = 0) {
  v1::Column column;
  column.set_metric(metric);
  column.set_type(type);
  column.set_values(values);
  column.set_present(present);
  column.set_span(span);
  return column;
}

TEST_F(IngestE2eTest, RowsComeBackBitForBitAlsoAfterAFlush) {
  const std::string run = CreateRun();
  const auto client = OpenStream(OpenOf(run), {"a", "b"});
  const std::vector<double> a = {
      1.5,
      -0.0,
      kInf,
      -kInf,
      std::bit_cast<double>(uint64_t{0x7ff8000000000000}),
      std::bit_cast<double>(uint64_t{0x7ff0000000000001}),  // a signalling NaN
      std::bit_cast<double>(uint64_t{0xfff8dead0000beef}),
      std::numeric_limits<double>::denorm_min()};
  const std::vector<double> b = {8, 7, 6, 5, 4, 3, 2, 1.0 / 3};
  ASSERT_TRUE(SendAndAwaitAck(client.get(), DenseBatch(0, 0, {a, b}, 100)));

  const auto check = [&] {
    const v1::SeriesPart part = ReadAll(run, "a");
    EXPECT_EQ(Bits(part.values()), Bits(a));
    EXPECT_THAT(part.steps(),
                ElementsAre(100, 101, 102, 103, 104, 105, 106, 107));
    EXPECT_EQ(part.times_ns(0), 100'000'000'000);
    EXPECT_THAT(part.has_step(), IsEmpty());
    EXPECT_THAT(part.time_stamped(), IsEmpty());
    EXPECT_EQ(Bits(ReadAll(run, "b").values()), Bits(b));
  };
  check();
  grpc::ClientContext context;
  v1::FlushResponse flushed;
  ASSERT_TRUE(admin_->Flush(&context, {}, &flushed).ok());
  EXPECT_EQ(flushed.rows_sealed(), 8u);
  check();
}

TEST_F(IngestE2eTest, SparseColumnsHaveHoles) {
  const std::string run = CreateRun();
  const auto client = OpenStream(OpenOf(run), {"dense", "sparse", "never"});
  v1::Batch batch = DenseBatch(0, 0, {std::vector<double>(10, 1.0)});
  // Rows 0, 3 and 9.
  *batch.add_columns() =
      ColumnOf(1, v1::VALUE_TYPE_FLOAT64, PackDoubles({10, 13, 19}),
               std::string("\x09\x02", 2));
  ASSERT_TRUE(SendAndAwaitAck(client.get(), batch));
  const v1::SeriesPart part = ReadAll(run, "sparse");
  EXPECT_THAT(part.steps(), ElementsAre(0, 3, 9));
  EXPECT_THAT(part.values(), ElementsAre(10, 13, 19));
  EXPECT_EQ(ReadAll(run, "dense").values_size(), 10);
  EXPECT_EQ(ReadAll(run, "never").values_size(), 0);
}

TEST_F(IngestE2eTest, OneSpanHoldsSeveralMetrics) {
  const std::string run = CreateRun();
  const auto client = OpenStream(OpenOf(run), {"a", "b", "c"});
  v1::Batch batch;
  batch.set_rows(2);
  batch.set_steps(PackInts({1, 2}));
  *batch.add_columns() = ColumnOf(0, v1::VALUE_TYPE_FLOAT64,
                                  PackDoubles({1, 2, 3, 4, 5, 6}), "", 3);
  ASSERT_TRUE(SendAndAwaitAck(client.get(), batch));
  EXPECT_THAT(ReadAll(run, "a").values(), ElementsAre(1, 2));
  EXPECT_THAT(ReadAll(run, "b").values(), ElementsAre(3, 4));
  EXPECT_THAT(ReadAll(run, "c").values(), ElementsAre(5, 6));
}

TEST_F(IngestE2eTest, NarrowerColumnsAreWidenedExactly) {
  const std::string run = CreateRun();
  const auto client = OpenStream(OpenOf(run), {"f32", "i64"});
  const std::vector<float> floats = {0.1f, std::bit_cast<float>(0x7fc12345),
                                     -0.0f,
                                     std::numeric_limits<float>::denorm_min()};
  const int64_t most = int64_t{1} << 53;
  v1::Batch batch;
  batch.set_rows(4);
  *batch.add_columns() =
      ColumnOf(0, v1::VALUE_TYPE_FLOAT32, PackFloats(floats));
  *batch.add_columns() =
      ColumnOf(1, v1::VALUE_TYPE_INT64, PackInts({most, -most, 0, 1 << 20}));
  ASSERT_TRUE(SendAndAwaitAck(client.get(), batch));
  const v1::SeriesPart part = ReadAll(run, "f32");
  ASSERT_EQ(part.values_size(), 4);
  EXPECT_EQ(part.values(0), static_cast<double>(0.1f));
  EXPECT_EQ(std::bit_cast<uint64_t>(part.values(1)), 0x7ff82468a0000000u)
      << "the payload of a NaN is widened with it";
  EXPECT_TRUE(std::signbit(part.values(2)));
  EXPECT_EQ(part.values(3), static_cast<double>(floats[3]));
  EXPECT_THAT(ReadAll(run, "i64").values(),
              ElementsAre(static_cast<double>(most), -static_cast<double>(most),
                          0, 1 << 20));
}

TEST_F(IngestE2eTest, RowsWithoutStepsAreInAnAnswerByTime) {
  const std::string run = CreateRun();
  const auto client = OpenStream(OpenOf(run), {"a"});
  v1::Batch batch = DenseBatch(0, 0, {{1, 2}});
  batch.clear_steps();
  ASSERT_TRUE(SendAndAwaitAck(client.get(), batch));
  ASSERT_TRUE(SendAndAwaitAck(client.get(), DenseBatch(0, 2, {{3}}, 2)));
  const v1::SeriesPart part = ReadAll(run, "a");
  EXPECT_THAT(part.values(), ElementsAre(1, 2, 3));
  EXPECT_THAT(part.has_step(), ElementsAre(false, false, true));
  // By step they are not there.
  const Answer by_step = Read(ReadOf(run, "a"));
  ASSERT_EQ(by_step.parts.size(), 1u);
  EXPECT_THAT(by_step.parts[0].values(), ElementsAre(3));
}

TEST_F(IngestE2eTest, RowsWithoutTimesAreStampedAndMarked) {
  const std::string run = CreateRun();
  const auto client = OpenStream(OpenOf(run), {"a"});
  v1::Batch batch = DenseBatch(0, 0, {{1, 2}});
  batch.clear_times();
  const int64_t before = absl::GetCurrentTimeNanos();
  ASSERT_TRUE(SendAndAwaitAck(client.get(), batch));
  const int64_t after = absl::GetCurrentTimeNanos();
  const v1::SeriesPart part = ReadAll(run, "a");
  ASSERT_EQ(part.times_ns_size(), 2);
  EXPECT_GE(part.times_ns(0), before);
  EXPECT_LE(part.times_ns(0), after);
  EXPECT_THAT(part.time_stamped(), ElementsAre(true, true));
}

TEST_F(IngestE2eTest, ResendCutDifferentlyChangesNothing) {
  const std::string run = CreateRun();
  std::vector<double> values(10);
  for (size_t i = 0; i < values.size(); ++i) values[i] = i;
  const auto rows = [&](size_t from, size_t to) {
    return DenseBatch(0, from, {{values.begin() + from, values.begin() + to}},
                      from);
  };
  {
    const auto client = OpenStream(OpenOf(run), {"a"});
    ASSERT_TRUE(SendAndAwaitAck(client.get(), rows(0, 4)));
    ASSERT_TRUE(SendAndAwaitAck(client.get(), rows(4, 7)));
  }
  Restart();
  {
    StreamClient client(channel_);
    ASSERT_TRUE(client.SendOpen(OpenOf(run)));
    const v1::Opened opened = client.Receive().value().opened();
    ASSERT_EQ(opened.lanes_size(), 1);
    EXPECT_EQ(opened.lanes(0).next_row(), 7u);
    ASSERT_TRUE(client.SendSchema(0, {"a"}));
    ASSERT_TRUE(SendAndAwaitAck(&client, rows(0, 2)));  // all known
    ASSERT_TRUE(SendAndAwaitAck(&client, rows(1, 9)));  // partly
    ASSERT_TRUE(SendAndAwaitAck(&client, rows(3, 10)));
  }
  EXPECT_EQ(Bits(ReadAll(run, "a").values()), Bits(values));
}

TEST_F(IngestE2eTest, NewerSessionOfAStreamTakesOver) {
  const std::string run = CreateRun();
  const auto older = OpenStream(OpenOf(run), {"a"});
  ASSERT_TRUE(SendAndAwaitAck(older.get(), DenseBatch(0, 0, {{1}})));
  const auto newer = OpenStream(OpenOf(run), {"a"});
  EXPECT_EQ(older->Finish().error_code(), grpc::StatusCode::ABORTED);
  EXPECT_TRUE(SendAndAwaitAck(newer.get(), DenseBatch(0, 1, {{2}}, 1)));
  EXPECT_THAT(ReadAll(run, "a").values(), ElementsAre(1, 2));
}

TEST_F(IngestE2eTest, CloseAcksEverythingAndEndsWell) {
  const std::string run = CreateRun();
  const auto client = OpenStream(OpenOf(run), {"a"});
  constexpr uint64_t kRows = 200;
  for (uint64_t row = 0; row < kRows; ++row) {
    ASSERT_TRUE(client->SendBatch(DenseBatch(0, row, {{1}}, row)));
  }
  ASSERT_TRUE(client->SendClose());
  EXPECT_TRUE(client->ReceiveAck(0, kRows));
  EXPECT_TRUE(client->Finish().ok());
  EXPECT_EQ(ReadAll(run, "a").values_size(), static_cast<int>(kRows));
}

TEST_F(IngestE2eTest, AckTokenReadsWhatWasAcked) {
  const std::string run = CreateRun();
  const auto client = OpenStream(OpenOf(run), {"a"});
  ASSERT_TRUE(SendAndAwaitAck(client.get(), DenseBatch(0, 0, {{1}})));
  v1::ReadRequest request = ReadOf(run, "a");
  request.set_at_least(client->last_ack().token());
  const Answer answer = Read(request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_GE(answer.summary.position(), client->last_ack().token());
  EXPECT_TRUE(answer.summary.exact());
  EXPECT_EQ(answer.summary.points_read(), 1u);
  request.set_at_least(std::string(8, '\x7f'));
  EXPECT_EQ(Read(request).status.error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
  request.set_at_least("odd");
  EXPECT_EQ(Read(request).status.error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(IngestE2eTest, RestartKeepsEverythingThatWasAcked) {
  const std::string run = CreateRun("kept");
  for (uint32_t rank = 0; rank < 3; ++rank) {
    const auto client =
        OpenStream(OpenOf(run, rank, static_cast<char>('a' + rank)), {"a"});
    ASSERT_TRUE(SendAndAwaitAck(client.get(), DenseBatch(0, 0, {{1, 2}})));
    if (rank == 1) {
      grpc::ClientContext context;
      v1::FlushResponse flushed;
      ASSERT_TRUE(admin_->Flush(&context, {}, &flushed).ok());
    }
  }
  Restart();
  const Answer answer = Read(ReadOf(run, "a"));
  ASSERT_EQ(answer.parts.size(), 3u);
  for (const v1::SeriesPart& part : answer.parts) {
    EXPECT_THAT(part.values(), ElementsAre(1, 2));
  }
  grpc::ClientContext context;
  v1::GetRunRequest request;
  request.set_run_id(run);
  v1::GetRunResponse response;
  ASSERT_TRUE(tracking_->GetRun(&context, request, &response).ok());
  EXPECT_EQ(response.run().name(), "kept");
  EXPECT_EQ(response.run().row_count(), 6u);
  EXPECT_EQ(response.run().worker_count(), 3u);
}

TEST_F(IngestE2eTest, LargeAnswersComeInPartsBelowTheDefaultLimit) {
  const std::string run = CreateRun();
  const auto client = OpenStream(OpenOf(run), {"a"});
  constexpr size_t kBatch = 65536;
  constexpr size_t kBatches = 4;
  for (size_t i = 0; i < kBatches; ++i) {
    v1::Batch batch = DenseBatch(
        0, i * kBatch, {std::vector<double>(kBatch, 1.0 / 3)}, i * kBatch);
    batch.clear_times();
    ASSERT_TRUE(SendAndAwaitAck(client.get(), batch));
  }
  v1::ReadRequest request = ReadOf(run, "a");
  Answer answer = Read(request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  int64_t points = 0;
  for (const v1::SeriesPart& part : answer.parts) {
    EXPECT_EQ(part.steps(0), points);
    points += part.values_size();
  }
  EXPECT_EQ(points, static_cast<int64_t>(kBatch * kBatches));
  EXPECT_GE(answer.parts.size(), 4u);

  request.set_max_points(100000);
  answer = Read(request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  uint64_t count = 0;
  for (const v1::SeriesPart& part : answer.parts) {
    for (const uint64_t n : part.buckets().count()) count += n;
  }
  EXPECT_EQ(count, kBatch * kBatches);
}

TEST_F(IngestE2eTest, WriteStoresPointsAndARequestIdMakesItHarmless) {
  const std::string run = CreateRun();
  v1::WriteRequest request;
  request.set_run_id(run);
  request.set_request_id("once");
  for (int step = 0; step < 3; ++step) {
    v1::Point* point = request.add_points();
    point->set_metric("loss");
    point->set_value(0.5 * step);
    point->set_step(step);
    point->set_time_ns(1000 + step);
  }
  for (int i = 0; i < 2; ++i) {
    grpc::ClientContext context;
    v1::WriteResponse response;
    const grpc::Status status = ingest_->Write(&context, request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.points(), 3u);
    EXPECT_EQ(response.token().size(), 8u);
  }
  EXPECT_THAT(ReadAll(run, "loss").values(), ElementsAre(0, 0.5, 1));
}

}  // namespace
}  // namespace waterflow::testing
