// What a RunWriter promises to the training loop, over a server that fails.
#include <bit>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cpp/channel.h"
#include "client/cpp/run_writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/client_fake_ingest.h"

namespace waterflow::client {
namespace {

constexpr absl::Duration kLong = absl::Seconds(60);

RunWriterOptions Fast() {
  RunWriterOptions options;
  options.buffer.batch_rows = 8;
  options.buffer.max_age = absl::Milliseconds(1);
  options.backoff_first = absl::Milliseconds(1);
  options.backoff_most = absl::Milliseconds(20);
  options.destructor_timeout = absl::ZeroDuration();
  return options;
}

std::unique_ptr<RunWriter> Open(const FakeIngest& server,
                                RunWriterOptions options = Fast()) {
  auto writer = RunWriter::Open(MakeChannel(server.address()),
                                std::string(32, 'a'), {"", 3}, options);
  EXPECT_TRUE(writer.ok()) << writer.status();
  return *std::move(writer);
}

double Value(int row, int metric) { return row * 0.1 + metric * 1000; }

void AppendRows(RunWriter* writer, SchemaHandle schema, int from, int to) {
  for (int r = from; r < to; ++r) {
    const absl::Status status =
        writer->Append(schema, r, r * 10, {Value(r, 0), Value(r, 1)});
    ASSERT_TRUE(status.ok()) << status;
  }
}

void ExpectRows(const FakeIngest& server, uint32_t schema, int count) {
  const std::vector<StoredRow> rows = server.rows(schema);
  ASSERT_EQ(rows.size(), count);
  for (int r = 0; r < count; ++r) {
    EXPECT_EQ(rows[r], (StoredRow{r,
                                  r * 10,
                                  {{0, std::bit_cast<uint64_t>(Value(r, 0))},
                                   {1, std::bit_cast<uint64_t>(Value(r, 1))}}}))
        << "row " << r;
  }
}

TEST(RunWriter, RowsArriveInBatchesAndAreAcked) {
  FakeIngest server;
  auto writer = Open(server);
  const auto schema = writer->DeclareSchema({"loss", "lr"});
  AppendRows(writer.get(), *schema, 0, 100);
  ASSERT_TRUE(writer->Close(kLong).ok());
  ExpectRows(server, 0, 100);
  EXPECT_LT(server.batches().size(), 100);
  EXPECT_EQ(server.opens().at(0).worker().rank(), 3);
  EXPECT_EQ(writer->stats().rows_acked, 100);
  EXPECT_EQ(writer->stats().values_acked, 200);
  EXPECT_EQ(writer->stats().buffered_bytes, 0);
  EXPECT_EQ(writer->token(), "token");
}

TEST(RunWriter, EveryRowIsStoredOnceWhateverBreaks) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::minstd_rand random(seed);
  FakeIngest server;
  for (int i = 0; i < 40; ++i) {
    SessionScript script;
    script.break_after_batches = static_cast<int>(1 + random() % 6);
    script.store_rows_of_last = random() % 9;
    if (i < 20) {
      // While there is enough to send that the break is reached.
      script.batches_per_ack = static_cast<int>(1 + random() % 4);
      script.send_acks = random() % 3 != 0;
    } else {
      script.credit_bytes = 200 + random() % 2000;  // so batches are cut anew
    }
    if (random() % 8 == 0) script.refuse_open = grpc::StatusCode::UNAVAILABLE;
    server.AddSession(script);
  }
  auto writer = Open(server);
  const auto a = writer->DeclareSchema({"loss", "lr"});
  const auto b = writer->DeclareSchema({"eval/loss", "eval/accuracy"});
  for (int r = 0; r < 1000; r += 10) {
    AppendRows(writer.get(), *a, r, r + 10);
    AppendRows(writer.get(), *b, r, r + 10);
  }
  const absl::Status status = writer->Close(kLong);
  ASSERT_TRUE(status.ok()) << status;
  ExpectRows(server, a->id, 1000);
  ExpectRows(server, b->id, 1000);
  EXPECT_GT(server.opens().size(), 10);
  EXPECT_EQ(writer->stats().rows_acked, 2000);
  EXPECT_EQ(writer->stats().rows_already_there, 0);
  for (const v1::Open& open : server.opens()) {
    EXPECT_EQ(open.stream_id(), server.opens()[0].stream_id());
  }
}

TEST(RunWriter, AResendIsCutAnew) {
  FakeIngest server;
  SessionScript breaks;
  breaks.break_after_batches = 1;
  breaks.store_rows_of_last = 3;
  server.AddSession(breaks);
  auto writer = Open(server);
  const auto schema = writer->DeclareSchema({"loss", "lr"});
  AppendRows(writer.get(), *schema, 0, 8);
  ASSERT_TRUE(writer->Flush(kLong).ok());
  ExpectRows(server, 0, 8);
  const auto batches = server.batches();
  ASSERT_GE(batches.size(), 2);
  EXPECT_EQ(batches[0].first_row(), 0);
  EXPECT_EQ(batches[1].first_row(), std::min(3u, batches[0].rows()));
}

TEST(RunWriter, BytesOnTheirWayStayWithinTheCredit) {
  FakeIngest server;
  SessionScript script;
  script.credit_bytes = 1000;
  server.AddSession(script);
  auto writer = Open(server);
  const auto schema = writer->DeclareSchema({"loss", "lr"});
  AppendRows(writer.get(), *schema, 0, 1000);
  ASSERT_TRUE(writer->Close(kLong).ok());
  ExpectRows(server, 0, 1000);
  EXPECT_LE(server.most_in_flight(), 1000);
}

TEST(RunWriter, ARowLargerThanTheCreditStillArrives) {
  FakeIngest server;
  SessionScript script;
  script.credit_bytes = 10;
  server.AddSession(script);
  auto writer = Open(server);
  const auto schema = writer->DeclareSchema({"loss", "lr"});
  AppendRows(writer.get(), *schema, 0, 5);
  ASSERT_TRUE(writer->Close(kLong).ok());
  ExpectRows(server, 0, 5);
}

TEST(RunWriter, AServerThatComesBackGetsEverything) {
  FakeIngest server;
  auto writer = Open(server);
  const auto schema = writer->DeclareSchema({"loss", "lr"});
  AppendRows(writer.get(), *schema, 0, 50);
  ASSERT_TRUE(writer->Flush(kLong).ok());
  server.Stop();
  AppendRows(writer.get(), *schema, 50, 100);
  EXPECT_EQ(writer->Flush(absl::Milliseconds(50)).code(),
            absl::StatusCode::kDeadlineExceeded);
  server.Restart();
  ASSERT_TRUE(writer->Close(kLong).ok());
  ExpectRows(server, 0, 100);
  // What it said it still holds begins where the acks ended.
  ASSERT_EQ(server.opens().back().held_size(), 1);
  EXPECT_EQ(server.opens().back().held(0).next_row(), 50);
}

TEST(RunWriter, WithoutAServerItKeepsWhatFitsAndNeverThrows) {
  RunWriterOptions options = Fast();
  options.buffer.capacity_bytes = 1000;
  auto writer =
      RunWriter::Open(MakeChannel("127.0.0.1:1"), "no run", {}, options);
  ASSERT_TRUE(writer.ok());
  const auto schema = (*writer)->DeclareSchema({"loss", "lr"});
  absl::Status status;
  for (int i = 0; i < 1000; ++i) {
    status = (*writer)->Append(*schema, i, i, {1.0, 2.0});
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_LE((*writer)->stats().buffered_bytes, 1000);
  EXPECT_GT((*writer)->stats().rows_refused, 0);
  EXPECT_EQ((*writer)->Close(absl::ZeroDuration()).code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_FALSE((*writer)->Append(*schema, 0, 0, {1.0, 2.0}).ok());
}

TEST(RunWriter, AFullBufferMakesAnImporterWait) {
  FakeIngest server;
  RunWriterOptions options = Fast();
  options.buffer.capacity_bytes = 500;
  options.append_patience = absl::InfiniteDuration();
  auto writer = Open(server, options);
  const auto schema = writer->DeclareSchema({"loss", "lr"});
  AppendRows(writer.get(), *schema, 0, 500);
  ASSERT_TRUE(writer->Close(kLong).ok());
  ExpectRows(server, 0, 500);
  EXPECT_EQ(writer->stats().rows_refused, 0);
}

TEST(RunWriter, ColumnsBecomeRows) {
  FakeIngest server;
  auto writer = Open(server);
  const auto schema = writer->DeclareSchema({"loss", "lr"});
  std::vector<int64_t> steps, times;
  std::vector<double> loss, lr;
  for (int r = 0; r < 20; ++r) {
    steps.push_back(r);
    times.push_back(r * 10);
    loss.push_back(Value(r, 0));
    lr.push_back(Value(r, 1));
  }
  ASSERT_TRUE(writer->AppendColumns(*schema, {steps, times, {loss, lr}}).ok());
  EXPECT_EQ(writer->AppendColumns(*schema, {steps, {}, {loss, {}}}).code(),
            absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(writer->Close(kLong).ok());
  ExpectRows(server, 0, 20);
}

TEST(RunWriter, StatusesThatCannotHealEndIt) {
  for (const auto code :
       {grpc::StatusCode::NOT_FOUND, grpc::StatusCode::INVALID_ARGUMENT,
        grpc::StatusCode::ABORTED}) {
    FakeIngest server;
    SessionScript script;
    script.refuse_open = code;
    server.AddSession(script);
    auto writer = Open(server);
    const auto schema = writer->DeclareSchema({"loss", "lr"});
    (void)writer->Append(*schema, 1, 1, {1.0, 2.0});
    EXPECT_EQ(static_cast<int>(writer->Flush(kLong).code()), code);
    EXPECT_EQ(static_cast<int>(writer->Append(*schema, 1, 1, {1., 2.}).code()),
              code);
    EXPECT_EQ(server.opens().size(), 1);
  }
}

TEST(RunWriter, ARefusedSchemaLeavesTheOthersAlone) {
  FakeIngest server;
  SessionScript script;
  script.refuse_schemas = {0};
  server.AddSession(script);
  RunWriterOptions options = Fast();
  std::atomic<int> called = 0;
  options.on_rejected = [&](const Rejection&) {
    ++called;
    throw std::runtime_error("a callback that throws");
  };
  auto writer = Open(server, options);
  const auto bad = writer->DeclareSchema({"bad", "worse"});
  const auto good = writer->DeclareSchema({"loss", "lr"});
  AppendRows(writer.get(), *bad, 0, 1);
  ASSERT_TRUE(writer->Flush(kLong).ok());
  AppendRows(writer.get(), *good, 0, 100);
  ASSERT_TRUE(writer->Flush(kLong).ok());
  ExpectRows(server, good->id, 100);
  EXPECT_EQ(writer->Append(*bad, 1, 1, {1.0, 2.0}).code(),
            absl::StatusCode::kInvalidArgument);
  ASSERT_EQ(writer->rejections().size(), 1);
  EXPECT_EQ(writer->rejections()[0].schema, bad->id);
  EXPECT_EQ(called, 1);
}

TEST(RunWriter, ARefusedBatchIsToldAndNotSentAgain) {
  FakeIngest server;
  SessionScript script;
  script.refuse_batches = {0};
  server.AddSession(script);
  RunWriterOptions options = Fast();
  options.buffer.max_age = absl::Hours(1);  // whole batches of 8
  auto writer = Open(server, options);
  const auto schema = writer->DeclareSchema({"loss", "lr"});
  AppendRows(writer.get(), *schema, 0, 24);
  ASSERT_TRUE(writer->Close(kLong).ok());
  ASSERT_EQ(writer->rejections().size(), 1);
  EXPECT_EQ(writer->rejections()[0].rows, 8);
  EXPECT_EQ(writer->stats().rows_rejected, 8);
  EXPECT_EQ(writer->stats().rows_acked, 16);
  EXPECT_EQ(server.batches().size(), 3);
}

TEST(RunWriter, RowsOfAnEarlierProgramAreNotSentAgain) {
  FakeIngest server;
  server.SetStored(0, 40);
  RunWriterOptions options = Fast();
  options.stream_id = std::string(16, 's');
  auto writer = Open(server, options);
  const auto schema = writer->DeclareSchema({"loss", "lr"});
  AppendRows(writer.get(), *schema, 0, 50);
  ASSERT_TRUE(writer->Close(kLong).ok());
  EXPECT_EQ(writer->stats().rows_acked, 50);
  EXPECT_EQ(writer->stats().rows_already_there, 40);
  ASSERT_FALSE(server.batches().empty());
  EXPECT_EQ(server.batches()[0].first_row(), 40);
}

TEST(RunWriter, AStreamIdHasSixteenBytes) {
  RunWriterOptions options;
  options.stream_id = "short";
  EXPECT_EQ(RunWriter::Open(MakeChannel("127.0.0.1:1"), "run", {}, options)
                .status()
                .code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace waterflow::client
