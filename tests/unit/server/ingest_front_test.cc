// The promises of the stream front, over a backend that stores nothing.
#include "server/ingest_front.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/admission.h"
#include "server/wire.h"
#include "tests/unit/server/front_fixture.h"
#include "waterflow/v1/ingest.grpc.pb.h"

namespace waterflow::server {
namespace {

using testing::CountingBackend;
using testing::DenseBatch;
using ::testing::HasSubstr;
using testing::StreamClient;

class IngestFrontTest : public FrontFixture {
 protected:
  explicit IngestFrontTest(bool ack_at_once = true, int threads = 1)
      : FrontFixture(ack_at_once, {.threads = threads}) {}
};

class IngestFrontThatAcksLaterTest : public IngestFrontTest {
 protected:
  IngestFrontThatAcksLaterTest() : IngestFrontTest(/*ack_at_once=*/false) {}
};

TEST_F(IngestFrontTest, OpenedSaysLanesLimitsAndCredit) {
  StreamClient client(channel_);
  v1::Open open = ValidOpen();
  open.mutable_worker()->set_rank(3);
  open.set_resume_step(40);
  v1::Lane* held = open.add_held();
  held->set_schema_id(7);
  held->set_next_row(71);
  ASSERT_TRUE(client.SendOpen(open));

  const v1::Opened opened = client.Receive().value().opened();
  ASSERT_EQ(opened.lanes_size(), 1);
  EXPECT_EQ(opened.lanes(0).schema_id(), 7u);
  EXPECT_EQ(opened.lanes(0).next_row(), 70u);
  EXPECT_EQ(opened.credit_bytes(), kMaxStreamCreditBytes);
  EXPECT_EQ(opened.limits().message_bytes(), 16u << 20);
  EXPECT_EQ(opened.limits().batch_rows(), 65536u);
  EXPECT_EQ(opened.tier(), v1::TIER_SERVER);
  EXPECT_EQ(opened.value_types_size(), 5);
  EXPECT_THAT(opened.server_version(), HasSubstr("waterflowd "));

  const storage::StreamOptions options = backend_.last_options();
  EXPECT_EQ(options.worker.rank, 3u);
  EXPECT_EQ(options.attempt, 1u) << "absent means the first";
  EXPECT_EQ(options.resume_step, 40);
  EXPECT_EQ(options.held, (std::vector<storage::LanePosition>{{7, 71}}));
}

TEST_F(IngestFrontTest, BatchReachesTheBackendByteForByte) {
  const auto client = OpenedClient();
  const v1::Batch small = DenseBatch(0, 0, {{1.5}});
  // Large enough to arrive in many slices.
  const v1::Batch large =
      DenseBatch(0, 1, std::vector(20, std::vector<double>(10000, 2.5)));
  ASSERT_TRUE(client->SendBatch(small));
  ASSERT_TRUE(client->SendBatch(large));
  ASSERT_TRUE(client->ReceiveAck(0, 10001));
  EXPECT_EQ(backend_.batches(),
            (std::vector<std::string>{small.SerializeAsString(),
                                      large.SerializeAsString()}));
}

TEST_F(IngestFrontTest, BatchInAnUnusualEncodingIsTheSameBatch) {
  const auto client = OpenedClient();
  const v1::Batch batch = DenseBatch(0, 0, {{1.5}});
  // Two fields of one oneof message, which parsers merge.
  v1::StreamRequest head;
  head.mutable_batch()->set_schema_id(0);
  head.mutable_batch()->set_rows(9);
  v1::StreamRequest rest;
  *rest.mutable_batch() = batch;
  ASSERT_TRUE(
      client->SendRaw(head.SerializeAsString() + rest.SerializeAsString()));
  ASSERT_TRUE(client->ReceiveAck(0, 1));
  v1::Batch arrived;
  ASSERT_TRUE(arrived.ParseFromString(backend_.batches().at(0)));
  EXPECT_EQ(arrived.SerializeAsString(), batch.SerializeAsString());
}

TEST_F(IngestFrontTest, AckTokenNamesThePosition) {
  const auto client = OpenedClient();
  ASSERT_TRUE(client->SendBatch(DenseBatch(0, 0, {{1.5}})));
  ASSERT_TRUE(client->ReceiveAck(0, 1));
  EXPECT_EQ(client->last_ack().token(), EncodeToken(storage::Position{1}));
  EXPECT_EQ(client->last_ack().credit_bytes(), kMaxStreamCreditBytes);
}

TEST_F(IngestFrontTest, WhatComesBeforeOpenIsRejectedAndTheCallGoesOn) {
  StreamClient client(channel_);
  ASSERT_TRUE(client.SendBatch(DenseBatch(4, 11, {{1.5}})));
  v1::Rejected rejected = client.Receive().value().rejected();
  EXPECT_EQ(rejected.code(), 9u);
  EXPECT_EQ(rejected.schema_id(), 4u);
  EXPECT_EQ(rejected.first_row(), 11u);
  EXPECT_EQ(rejected.rows(), 0u);
  ASSERT_TRUE(client.SendSchema(5, {"loss"}));
  rejected = client.Receive().value().rejected();
  EXPECT_EQ(rejected.code(), 9u);
  EXPECT_EQ(rejected.schema_id(), 5u);

  ASSERT_TRUE(client.SendOpen(ValidOpen()));
  EXPECT_TRUE(client.Receive().value().has_opened());
}

TEST_F(IngestFrontTest, MalformedMessageIsRejectedAndTheCallGoesOn) {
  const auto client = OpenedClient();
  ASSERT_TRUE(client->SendRaw("\x12\x7fgarbage"));
  v1::Rejected rejected = client->Receive().value().rejected();
  EXPECT_EQ(rejected.code(), 3u);
  EXPECT_THAT(rejected.message(), HasSubstr("reaches past the end"));

  // Bytes of a kind of message that does not exist yet.
  ASSERT_TRUE(client->SendRaw("\x7a\x01x"));
  rejected = client->Receive().value().rejected();
  EXPECT_EQ(rejected.code(), 3u);

  // A batch whose bytes are no Batch goes to the backend, which refuses it.
  ASSERT_TRUE(client->SendRaw("\x1a\x03\xff\xff\xff"));
  rejected = client->Receive().value().rejected();
  EXPECT_EQ(rejected.message(), "not a batch");

  ASSERT_TRUE(client->SendBatch(DenseBatch(0, 0, {{1.5}})));
  EXPECT_TRUE(client->ReceiveAck(0, 1));
}

TEST_F(IngestFrontTest, InvalidUtf8IsRejectedByTheNameOfTheField) {
  const auto client = OpenedClient();
  v1::StreamRequest request;
  request.mutable_schema()->set_id(6);
  request.mutable_schema()->add_metrics()->set_name("loss");
  request.mutable_schema()->add_metrics()->set_name("lo\xffss");
  ASSERT_TRUE(client->Send(request));
  const v1::Rejected rejected = client->Receive().value().rejected();
  EXPECT_EQ(rejected.code(), 3u);
  EXPECT_EQ(rejected.schema_id(), 6u);
  EXPECT_THAT(rejected.message(), HasSubstr("schema.metrics[1].name"));
  EXPECT_THAT(rejected.message(), HasSubstr("UTF-8"));
}

TEST_F(IngestFrontTest, MalformedOpenEndsTheCall) {
  const auto end_of = [&](const v1::Open& open) {
    StreamClient client(channel_);
    client.SendOpen(open);
    return client.Finish();
  };
  v1::Open open = ValidOpen();
  open.set_stream_id("short");
  EXPECT_EQ(end_of(open).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(end_of(open).error_message(), HasSubstr("stream_id"));
  open = ValidOpen();
  open.set_run_id("nonsense");
  EXPECT_EQ(end_of(open).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(end_of(open).error_message(), HasSubstr("run_id"));
  open = ValidOpen();
  open.mutable_worker()->set_role("\xff");
  EXPECT_EQ(end_of(open).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(end_of(open).error_message(), HasSubstr("open.worker.role"));
  open = ValidOpen();
  open.set_run_id(CountingBackend::unknown_run.ToHex());
  EXPECT_EQ(end_of(open).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(IngestFrontTest, SecondOpenEndsTheCall) {
  const auto client = OpenedClient();
  client->SendOpen(ValidOpen());
  EXPECT_EQ(client->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(IngestFrontTest, MessageOverTheLimitEndsOnlyItsCall) {
  const auto other = OpenedClient();
  const auto client = OpenedClient();
  client->SendRaw(std::string((16 << 20) + 1, 'x'));
  EXPECT_EQ(client->Finish().error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  ASSERT_TRUE(other->SendBatch(DenseBatch(0, 0, {{1.5}})));
  EXPECT_TRUE(other->ReceiveAck(0, 1));
}

TEST_F(IngestFrontTest, FloodOfBadMessagesIsAnsweredOneByOne) {
  const auto client = OpenedClient();
  constexpr int kCount = 10 * kMaxQueuedRejections;
  for (int i = 0; i < kCount; ++i) {
    ASSERT_TRUE(client->SendRaw("\x1a\x03\xff\xff\xff"));
  }
  for (int i = 0; i < kCount; ++i) {
    ASSERT_TRUE(client->Receive().value().has_rejected());
  }
}

TEST_F(IngestFrontTest, UnaryWriteIsUnimplementedWithoutAnEngine) {
  const auto stub = v1::Ingest::NewStub(channel_);
  grpc::ClientContext context;
  v1::WriteResponse response;
  EXPECT_EQ(stub->Write(&context, {}, &response).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(IngestFrontThatAcksLaterTest, CloseWaitsUntilEverythingIsDurable) {
  for (const bool half_close : {false, true}) {
    const auto client = OpenedClient();
    backend_.AwaitSessions(1);
    const size_t before = backend_.batches().size();
    ASSERT_TRUE(client->SendBatch(DenseBatch(0, 0, {{1.5, 2.5}})));
    if (half_close) {
      client->HalfClose();
    } else {
      ASSERT_TRUE(client->SendClose());
    }
    backend_.AwaitBatches(before + 1);
    backend_.AckAll();
    EXPECT_TRUE(client->ReceiveAck(0, 2));
    EXPECT_TRUE(client->Finish().ok());
    backend_.AwaitSessions(0);
  }
}

TEST_F(IngestFrontThatAcksLaterTest, AcksOfOneMomentComeAsOne) {
  const auto client = OpenedClient();
  for (uint32_t lane = 0; lane < 20; ++lane) {
    for (uint64_t row = 0; row < 3; ++row) {
      ASSERT_TRUE(client->SendBatch(DenseBatch(lane, row, {{1.5}})));
    }
  }
  backend_.AwaitBatches(60);
  backend_.AckAll();
  const v1::Ack ack = client->Receive().value().ack();
  ASSERT_EQ(ack.lanes_size(), 20);
  for (const v1::Lane& lane : ack.lanes()) EXPECT_EQ(lane.next_row(), 3u);
}

TEST_F(IngestFrontThatAcksLaterTest, SessionThatTheBackendEndsEndsTheCall) {
  const auto client = OpenedClient();
  ASSERT_TRUE(client->SendBatch(DenseBatch(0, 0, {{1.5}})));
  backend_.AwaitBatches(1);
  backend_.EndAll(absl::AbortedError("a newer session took over"));
  const grpc::Status status = client->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(status.error_message(), "a newer session took over");
  backend_.AwaitSessions(0);
}

TEST_F(IngestFrontThatAcksLaterTest, ClientThatVanishesLeavesNoSession) {
  auto client = OpenedClient();
  ASSERT_TRUE(client->SendBatch(DenseBatch(0, 0, {{1.5}})));
  backend_.AwaitBatches(1);
  client->Cancel();
  backend_.AwaitSessions(0);
  backend_.AckAll();
  client.reset();
}

TEST_F(IngestFrontThatAcksLaterTest, StreamWaitsAtItsCreditAndGoesOnWithAcks) {
  const auto client = OpenedClient();
  // 1 MiB each: the 17th is read only when others were acked.
  const v1::Batch batch =
      DenseBatch(0, 0, std::vector(16, std::vector<double>(8192, 1.5)));
  constexpr size_t kBatches = 40;
  std::atomic<size_t> sent{0};
  std::thread sender([&] {
    for (; sent < kBatches; ++sent) client->SendBatch(batch);
  });
  backend_.AwaitBatches(kMaxStreamCreditBytes / batch.ByteSizeLong());
  EXPECT_LE(backend_.batches().size(),
            kMaxStreamCreditBytes / batch.ByteSizeLong() + 1);
  while (sent < kBatches) {
    backend_.AckAll();
    std::this_thread::yield();
  }
  sender.join();
  backend_.AwaitBatches(kBatches);
}

TEST_F(IngestFrontTest, FullStoreStopsReadingUntilThereIsRoom) {
  const auto client = OpenedClient();
  backend_.set_max_pending_bytes(1000);
  backend_.set_pending_bytes(5000);
  // One read may be under way already; the next finds the store full.
  for (uint64_t row = 0; row < 3; ++row) {
    ASSERT_TRUE(client->SendBatch(DenseBatch(0, row, {{1.5}})));
  }
  EXPECT_LE(backend_.batches().size(), 1u);
  backend_.set_pending_bytes(0);  // and nobody tells the stream
  EXPECT_TRUE(client->ReceiveAck(0, 3));
}

TEST_F(IngestFrontThatAcksLaterTest, ShutdownAcksWhatBecomesDurable) {
  const auto client = OpenedClient();
  ASSERT_TRUE(client->SendBatch(DenseBatch(0, 0, {{1.5}})));
  backend_.AwaitBatches(1);
  std::thread stopper([&] { front_->Shutdown(absl::Minutes(1)); });
  backend_.AckAll();
  EXPECT_TRUE(client->ReceiveAck(0, 1));
  const grpc::Status status = client->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(status.error_message(), "server is stopping");
  stopper.join();
  backend_.AwaitSessions(0);
}

TEST_F(IngestFrontThatAcksLaterTest, ShutdownCancelsWhatTheStoreNeverAcks) {
  const auto client = OpenedClient();
  ASSERT_TRUE(client->SendBatch(DenseBatch(0, 0, {{1.5}})));
  backend_.AwaitBatches(1);
  front_->Shutdown(absl::Milliseconds(20));
  backend_.AwaitSessions(0);
  EXPECT_FALSE(client->Finish().ok());
}

class IngestFrontOfThreeThreadsTest : public IngestFrontTest {
 protected:
  IngestFrontOfThreeThreadsTest() : IngestFrontTest(false, /*threads=*/3) {}
};

// Sessions that come, go, break off and are acked at once, and a shutdown amid
// all of it: for the sanitizers.
TEST_F(IngestFrontOfThreeThreadsTest, SurvivesChaos) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::atomic<bool> stop{false};
  std::atomic<int> rounds{0};
  std::thread acker([&] {
    while (!stop) {
      backend_.AckAll();
      std::this_thread::yield();
    }
  });
  std::vector<std::thread> clients;
  for (unsigned c = 0; c < 4; ++c) {
    clients.emplace_back([&, c] {
      std::mt19937 random(seed + c);
      const auto channel = NewChannel();
      while (!stop) {
        StreamClient client(channel);
        ++rounds;
        if (random() % 8 == 0) continue;
        if (!client.SendOpen(ValidOpen())) continue;
        if (random() % 8 == 0) continue;
        if (!client.Receive().has_value()) continue;
        uint64_t row = 0;
        const uint64_t rows = random() % 20;
        while (row < rows && client.SendBatch(DenseBatch(0, row, {{1.5}}))) {
          ++row;
        }
        if (random() % 3 == 0) continue;  // cancels
        if (random() % 2 == 0) {
          client.SendClose();
        } else {
          client.HalfClose();
        }
        const bool acked = row == 0 || client.ReceiveAck(0, row);
        const grpc::Status status = client.Finish();
        if (status.ok()) {
          EXPECT_TRUE(acked);
        }
      }
    });
  }
  while (rounds < 300) std::this_thread::yield();
  front_->Shutdown(absl::Milliseconds(50));
  stop = true;
  for (std::thread& client : clients) client.join();
  acker.join();
  backend_.AwaitSessions(0);
}

TEST(IngestFrontStartTest, PortInUseIsRefused) {
  CountingBackend backend;
  const auto first = IngestFront::Start({}, &backend);
  ASSERT_TRUE(first.ok());
  const auto second = IngestFront::Start(
      {.listen = absl::StrCat("127.0.0.1:", (*first)->port())}, &backend);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace waterflow::server
