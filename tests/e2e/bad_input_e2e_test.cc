// Bad input, line by line: it is refused with a reason, the stream or at least
// the server goes on, and nothing stored changes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/e2e/server_fixture.h"

namespace waterflow::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr uint32_t kInvalidArgument = 3;
constexpr uint32_t kFailedPrecondition = 9;
constexpr uint32_t kOutOfRange = 11;

// A stream of one metric "a" with one row, value 1, stored.
class BadInputE2eTest : public ServerFixture {
 protected:
  BadInputE2eTest()
      : run_(CreateRun()), client_(OpenStream(OpenOf(run_), {"a"})) {
    EXPECT_TRUE(SendAndAwaitAck(client_.get(), DenseBatch(0, 0, {{1}})));
  }

  // The next answer that is no ack.
  v1::Rejected ReceiveRejected() {
    while (const std::optional<v1::StreamResponse> response =
               client_->Receive()) {
      if (response->has_rejected()) return response->rejected();
    }
    ADD_FAILURE() << "the call ended: " << client_->Finish().error_message();
    return {};
  }

  // The stream takes what comes next: a row of value 2 at `row`.
  void ExpectGoesOn(uint64_t row = 1) {
    EXPECT_TRUE(client_->SendBatch(DenseBatch(0, row, {{2}}, 1)));
    EXPECT_TRUE(client_->ReceiveAck(0, row + 1));
    EXPECT_THAT(ReadAll(run_, "a").values(), ElementsAre(1, 2));
  }

  const std::string run_;
  const std::unique_ptr<StreamClient> client_;
};

TEST_F(BadInputE2eTest, ColumnOfTheWrongLength) {
  v1::Batch batch = DenseBatch(0, 1, {{1, 2, 3}});
  batch.mutable_columns(0)->mutable_values()->resize(16);
  ASSERT_TRUE(client_->SendBatch(batch));
  const v1::Rejected rejected = ReceiveRejected();
  EXPECT_EQ(rejected.code(), kInvalidArgument);
  EXPECT_EQ(rejected.first_row(), 1u);
  EXPECT_EQ(rejected.rows(), 3u) << "its rows count as delivered";
  EXPECT_THAT(rejected.message(), HasSubstr("\"a\""));
  ExpectGoesOn(4);
}

TEST_F(BadInputE2eTest, StepsOrTimesOfTheWrongLength) {
  v1::Batch batch = DenseBatch(0, 1, {{1, 2}});
  batch.mutable_steps()->resize(8);
  ASSERT_TRUE(client_->SendBatch(batch));
  EXPECT_THAT(ReceiveRejected().message(), HasSubstr("steps"));
  batch = DenseBatch(0, 3, {{1, 2}});
  batch.mutable_times()->resize(9);
  ASSERT_TRUE(client_->SendBatch(batch));
  EXPECT_THAT(ReceiveRejected().message(), HasSubstr("times"));
  ExpectGoesOn(5);
}

TEST_F(BadInputE2eTest, UnknownSchema) {
  ASSERT_TRUE(client_->SendBatch(DenseBatch(7, 0, {{1}})));
  const v1::Rejected rejected = ReceiveRejected();
  EXPECT_EQ(rejected.code(), kFailedPrecondition);
  EXPECT_EQ(rejected.schema_id(), 7u);
  ExpectGoesOn();
}

TEST_F(BadInputE2eTest, SchemasThatBreakALimit) {
  const std::vector<std::vector<std::string>> schemas = {
      {"twice", "twice"}, {""}, {std::string(513, 'x')}, {}, {"line\nbreak"}};
  for (const std::vector<std::string>& names : schemas) {
    ASSERT_TRUE(client_->SendSchema(5, names));
    const v1::Rejected rejected = ReceiveRejected();
    EXPECT_EQ(rejected.code(), kInvalidArgument);
    EXPECT_EQ(rejected.schema_id(), 5u);
    EXPECT_EQ(rejected.rows(), 0u);
  }
  std::vector<std::string> many;
  for (int i = 0; i <= 16384; ++i) many.push_back(absl::StrCat("m", i));
  ASSERT_TRUE(client_->SendSchema(5, many));
  EXPECT_EQ(ReceiveRejected().code(), kInvalidArgument);
  ExpectGoesOn();
}

TEST_F(BadInputE2eTest, SchemaNumberThatStandsForOtherNames) {
  ASSERT_TRUE(client_->SendSchema(0, {"b"}));
  EXPECT_EQ(ReceiveRejected().code(), kFailedPrecondition);
  ExpectGoesOn();
}

TEST_F(BadInputE2eTest, SchemaThatIsNotUtf8) {
  ASSERT_TRUE(client_->SendSchema(5, {"ok", "\xff"}));
  const v1::Rejected rejected = ReceiveRejected();
  EXPECT_EQ(rejected.code(), kInvalidArgument);
  EXPECT_THAT(rejected.message(), HasSubstr("schema.metrics[1].name"));
  ExpectGoesOn();
}

TEST_F(BadInputE2eTest, GapInTheRows) {
  ASSERT_TRUE(client_->SendBatch(DenseBatch(0, 2, {{9}})));
  const v1::Rejected rejected = ReceiveRejected();
  EXPECT_EQ(rejected.code(), kOutOfRange);
  EXPECT_EQ(rejected.first_row(), 2u);
  EXPECT_EQ(rejected.rows(), 0u) << "the lane still waits for row 1";
  ExpectGoesOn();
}

TEST_F(BadInputE2eTest, BitmapThatDisagreesWithItsValues) {
  v1::Batch batch = DenseBatch(0, 1, {{1, 2, 3}});
  batch.mutable_columns(0)->set_present("\x07");  // three rows, two values
  batch.mutable_columns(0)->set_values(PackDoubles({1, 2}));
  ASSERT_TRUE(client_->SendBatch(batch));
  EXPECT_EQ(ReceiveRejected().code(), kInvalidArgument);
  batch = DenseBatch(0, 4, {{1, 2, 3}});
  batch.mutable_columns(0)->set_present("\x0f");  // a bit past the last row
  batch.mutable_columns(0)->set_values(PackDoubles({1, 2, 3, 4}));
  ASSERT_TRUE(client_->SendBatch(batch));
  EXPECT_EQ(ReceiveRejected().code(), kInvalidArgument);
  batch = DenseBatch(0, 7, {{1, 2, 3}});
  batch.mutable_columns(0)->set_present("\x07\x01");  // a byte too many
  ASSERT_TRUE(client_->SendBatch(batch));
  EXPECT_EQ(ReceiveRejected().code(), kInvalidArgument);
  ExpectGoesOn(10);
}

TEST_F(BadInputE2eTest, ColumnsThatAreNoneOfTheSchema) {
  for (const uint32_t metric : {1u, 4294967295u}) {
    v1::Batch batch = DenseBatch(0, 0, {{1}});
    batch.mutable_columns(0)->set_metric(metric);
    ASSERT_TRUE(client_->SendBatch(batch));
    EXPECT_EQ(ReceiveRejected().code(), kInvalidArgument);
  }
  v1::Batch batch = DenseBatch(0, 0, {{1}});
  batch.mutable_columns(0)->set_span(4294967295u);
  ASSERT_TRUE(client_->SendBatch(batch));
  EXPECT_EQ(ReceiveRejected().code(), kInvalidArgument);
  batch = DenseBatch(0, 0, {{1}});
  *batch.add_columns() = batch.columns(0);
  ASSERT_TRUE(client_->SendBatch(batch));
  EXPECT_EQ(ReceiveRejected().code(), kInvalidArgument);
  batch = DenseBatch(0, 0, {{1}});
  batch.mutable_columns(0)->set_type(v1::VALUE_TYPE_UNSPECIFIED);
  ASSERT_TRUE(client_->SendBatch(batch));
  EXPECT_EQ(ReceiveRejected().code(), kInvalidArgument);
  ExpectGoesOn();
}

TEST_F(BadInputE2eTest, RowCountsThatCannotBe) {
  for (const uint32_t rows : {0u, 65537u, 1u << 31, 4294967295u}) {
    v1::Batch batch = DenseBatch(0, 1, {{1}});
    batch.set_rows(rows);
    ASSERT_TRUE(client_->SendBatch(batch));
    const v1::Rejected rejected = ReceiveRejected();
    EXPECT_EQ(rejected.code(), kInvalidArgument);
    EXPECT_EQ(rejected.rows(), 0u) << "such a number moves no lane";
  }
  v1::Batch batch = DenseBatch(0, 1, {{1}});
  batch.set_first_row(~uint64_t{0});
  ASSERT_TRUE(client_->SendBatch(batch));
  EXPECT_NE(ReceiveRejected().code(), 0u);
  ExpectGoesOn();
}

TEST_F(BadInputE2eTest, IntegerThatNoDoubleHolds) {
  v1::Batch batch = DenseBatch(0, 1, {{1}});
  batch.mutable_columns(0)->set_type(v1::VALUE_TYPE_INT64);
  batch.mutable_columns(0)->set_values(PackInts({(int64_t{1} << 53) + 1}));
  ASSERT_TRUE(client_->SendBatch(batch));
  const v1::Rejected rejected = ReceiveRejected();
  EXPECT_EQ(rejected.code(), kInvalidArgument);
  EXPECT_EQ(rejected.rows(), 1u);
  ExpectGoesOn(2);
}

TEST_F(BadInputE2eTest, BytesThatAreNoMessage) {
  // A batch that is cut short, inside and outside of its frame.
  const std::string batch = DenseBatch(0, 1, {{1}}).SerializeAsString();
  const std::string cut = batch.substr(0, batch.size() - 3);
  ASSERT_TRUE(client_->SendRaw(absl::StrCat(
      "\x1a", std::string(1, static_cast<char>(cut.size())), cut)));
  const v1::Rejected rejected = ReceiveRejected();
  EXPECT_EQ(rejected.code(), kInvalidArgument);
  EXPECT_EQ(rejected.rows(), 1u) << "its head could be read";
  ASSERT_TRUE(client_->SendRaw(absl::StrCat(
      "\x1a", std::string(1, static_cast<char>(batch.size())), cut)));
  EXPECT_EQ(ReceiveRejected().code(), kInvalidArgument);
  ASSERT_TRUE(client_->SendRaw("\xff\xff\xff"));
  EXPECT_EQ(ReceiveRejected().code(), kInvalidArgument);
  ExpectGoesOn(2);
}

TEST_F(BadInputE2eTest, EmptyBatch) {
  ASSERT_TRUE(client_->SendBatch({}));  // no rows, no columns
  const v1::Rejected rejected = ReceiveRejected();
  EXPECT_EQ(rejected.code(), kInvalidArgument);
  EXPECT_EQ(rejected.rows(), 0u);
  ExpectGoesOn();
}

TEST_F(BadInputE2eTest, RowsThatGoBackAreThoseThatAreStoredAndStayAsTheyAre) {
  // The same row with another value, alone and in front of a new one.
  ASSERT_TRUE(SendAndAwaitAck(client_.get(), DenseBatch(0, 0, {{9}})));
  ASSERT_TRUE(SendAndAwaitAck(client_.get(), DenseBatch(0, 0, {{9, 2}})));
  EXPECT_THAT(ReadAll(run_, "a").values(), ElementsAre(1, 2));
}

TEST_F(BadInputE2eTest, ClocksOf1970And2200AreTakenAsTheyAre) {
  for (const int64_t clock_ns :
       {int64_t{1}, int64_t{7'258'118'400} * 1'000'000'000,
        std::numeric_limits<int64_t>::min(),
        std::numeric_limits<int64_t>::max()}) {
    SCOPED_TRACE(clock_ns);
    const std::string run = CreateRun();
    v1::Open open = OpenOf(run);
    open.set_client_time_ns(clock_ns);
    const auto client = OpenStream(open, {"a"});
    v1::StreamRequest heartbeat;
    heartbeat.mutable_heartbeat()->set_client_time_ns(clock_ns);
    ASSERT_TRUE(client->Send(heartbeat));
    v1::Batch batch = DenseBatch(0, 0, {{1, 2}});
    batch.set_times(PackInts({clock_ns, clock_ns}));
    ASSERT_TRUE(SendAndAwaitAck(client.get(), batch));
    EXPECT_THAT(ReadAll(run, "a").times_ns(), ElementsAre(clock_ns, clock_ns));
    v1::ReadRequest relative = ReadOf(run, "a");
    relative.set_axis(v1::AXIS_RELATIVE_TIME);
    EXPECT_TRUE(Read(relative).status.ok());
  }
}

TEST_F(BadInputE2eTest, CompressedMessagesAreRefusedBeforeTheyAreUnpacked) {
  // Some KiB that would unpack to 64 MiB.
  StreamClient bomb(channel_, std::chrono::milliseconds(0), GRPC_COMPRESS_GZIP);
  bomb.SendRaw(std::string(64u << 20, '\0'));
  EXPECT_EQ(bomb.Finish().error_code(), grpc::StatusCode::UNIMPLEMENTED);

  grpc::ClientContext context;
  context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  v1::WriteRequest request;
  request.set_run_id(std::string(64u << 20, '0'));
  v1::WriteResponse response;
  EXPECT_EQ(ingest_->Write(&context, request, &response).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
  ExpectGoesOn();
}

TEST_F(BadInputE2eTest, BatchBeforeOpen) {
  StreamClient early(channel_);
  ASSERT_TRUE(early.SendBatch(DenseBatch(0, 0, {{1}})));
  EXPECT_EQ(early.Receive().value().rejected().code(), kFailedPrecondition);
  ASSERT_TRUE(early.SendOpen(OpenOf(run_, 1, 'e')));
  EXPECT_TRUE(early.Receive().value().has_opened());
  ExpectGoesOn();
}

TEST_F(BadInputE2eTest, OpenOfAnUnknownRun) {
  StreamClient client(channel_);
  ASSERT_TRUE(client.SendOpen(OpenOf(std::string(32, '0'))));
  EXPECT_EQ(client.Finish().error_code(), grpc::StatusCode::NOT_FOUND);
  ExpectGoesOn();
}

TEST_F(BadInputE2eTest, OpenThatIsMalformed) {
  const auto status_of = [&](const v1::Open& open) {
    StreamClient client(channel_);
    client.SendOpen(open);
    return client.Finish().error_code();
  };
  v1::Open open = OpenOf(run_);
  open.set_stream_id("short");
  EXPECT_EQ(status_of(open), grpc::StatusCode::INVALID_ARGUMENT);
  open = OpenOf("no hexadecimal digits");
  EXPECT_EQ(status_of(open), grpc::StatusCode::INVALID_ARGUMENT);
  open = OpenOf(run_, 1u << 24);
  EXPECT_EQ(status_of(open), grpc::StatusCode::INVALID_ARGUMENT);
  open = OpenOf(run_);
  open.mutable_worker()->set_role(std::string(129, 'r'));
  EXPECT_EQ(status_of(open), grpc::StatusCode::INVALID_ARGUMENT);
  ExpectGoesOn();
}

TEST_F(BadInputE2eTest, MessageOverTheLimitEndsOnlyItsStream) {
  const auto large = OpenStream(OpenOf(run_, 1, 'l'), {"a"});
  large->SendRaw(std::string((16u << 20) + 1, '\0'));
  EXPECT_EQ(large->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  ExpectGoesOn();
}

TEST_F(BadInputE2eTest, DeletedRunRefusesBatches) {
  const std::string gone = CreateRun();
  const auto client = OpenStream(OpenOf(gone, 0, 'g'), {"a"});
  ASSERT_TRUE(SendAndAwaitAck(client.get(), DenseBatch(0, 0, {{1}})));
  ASSERT_TRUE(DeleteRun(gone).ok());
  client->SendBatch(DenseBatch(0, 1, {{2}}));
  EXPECT_EQ(client->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Read(ReadOf(gone, "a")).status.error_code(),
            grpc::StatusCode::NOT_FOUND);
  StreamClient again(channel_);
  ASSERT_TRUE(again.SendOpen(OpenOf(gone)));
  EXPECT_EQ(again.Finish().error_code(), grpc::StatusCode::NOT_FOUND);
  ExpectGoesOn();
}

TEST_F(BadInputE2eTest, UnaryWritesThatBreakARule) {
  const auto write = [&](const v1::WriteRequest& request) {
    grpc::ClientContext context;
    v1::WriteResponse response;
    return ingest_->Write(&context, request, &response);
  };
  v1::WriteRequest request;
  request.set_run_id(run_);
  EXPECT_EQ(write(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT)
      << "no points";
  request.add_points()->set_metric("ok");
  request.add_points()->set_metric("");
  EXPECT_EQ(write(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  request.mutable_points(1)->set_metric("\xff");
  EXPECT_FALSE(write(request).ok());
  request.mutable_points(1)->set_metric("b");
  request.set_request_id(std::string(65, 'r'));
  EXPECT_EQ(write(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  request.clear_request_id();
  request.set_run_id(std::string(32, '0'));
  EXPECT_EQ(write(request).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Read(ReadOf(run_, "ok")).status.error_code(),
            grpc::StatusCode::NOT_FOUND)
      << "all points of a request are stored or none";
  ExpectGoesOn();
}

TEST_F(BadInputE2eTest, ReadsThatCannotBeAnswered) {
  const auto status_of = [&](const v1::ReadRequest& request) {
    return Read(request).status.error_code();
  };
  EXPECT_EQ(status_of({}), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status_of(ReadOf(run_, "no such metric")),
            grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status_of(ReadOf(std::string(32, '0'), "a")),
            grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status_of(ReadOf("nonsense", "a")),
            grpc::StatusCode::INVALID_ARGUMENT);
  v1::ReadRequest request = ReadOf(run_, "a");
  request.set_axis(static_cast<v1::Axis>(99));
  EXPECT_EQ(status_of(request), grpc::StatusCode::INVALID_ARGUMENT);
  request = ReadOf(run_, "a");
  request.set_reduction(static_cast<v1::Reduction>(99));
  EXPECT_EQ(status_of(request), grpc::StatusCode::INVALID_ARGUMENT);
  request = ReadOf(run_, "a");
  request.set_max_points(1000001);
  EXPECT_EQ(status_of(request), grpc::StatusCode::INVALID_ARGUMENT);
  request = ReadOf(run_, "a");
  request.add_workers()->set_rank(77);
  EXPECT_EQ(status_of(request), grpc::StatusCode::NOT_FOUND);
  ExpectGoesOn();
}

}  // namespace
}  // namespace waterflow::testing
