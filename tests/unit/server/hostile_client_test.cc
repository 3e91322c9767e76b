// Clients that are slow, silent or do not keep to what they were told: each is
// bounded, is sent away with a reason where it can hear one, and leaves the
// others alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "server/admission.h"
#include "tests/unit/server/front_fixture.h"
#include "tests/unit/server/tcp_proxy.h"

namespace waterflow::server {
namespace {

using testing::ConnectTo;
using testing::DenseBatch;
using ::testing::HasSubstr;
using testing::StreamClient;
using testing::TcpProxy;

constexpr absl::Duration kShort = absl::Milliseconds(40);

v1::Batch LargeBatch() {  // 1 MiB
  return DenseBatch(0, 0, std::vector(16, std::vector<double>(8192, 1.5)));
}

TEST(Admission, CreditIsWhatTheStoreHasFreeWithinBounds) {
  testing::CountingBackend backend;
  backend.set_max_pending_bytes(64 << 20);
  Admission admission(&backend, 1, kShort);
  EXPECT_EQ(admission.credit(), kMaxStreamCreditBytes);
  backend.set_pending_bytes(60 << 20);
  EXPECT_EQ(admission.credit(), 4u << 20);
  backend.set_pending_bytes(100 << 20);
  EXPECT_EQ(admission.credit(), kMinStreamCreditBytes);
  EXPECT_TRUE(admission.store_is_full());
}

TEST(Admission, CreditsOfAllStreamsTogetherAreBounded) {
  testing::CountingBackend backend;
  backend.set_max_pending_bytes(64 << 20);
  Admission admission(&backend, 10000, kShort);
  for (int i = 0; i < 1024; ++i) ASSERT_TRUE(admission.Enter());
  EXPECT_EQ(admission.credit(), 512u << 10);
  for (int i = 0; i < 1022; ++i) admission.Leave();
  EXPECT_EQ(admission.credit(), kMaxStreamCreditBytes);
}

TEST(Admission, BusyStreamsShareTheStoreAndLeaveRoom) {
  testing::CountingBackend backend;
  backend.set_max_pending_bytes(64 << 20);
  Admission admission(&backend, 1, kShort);
  // Each takes what it may, a batch at a time, and nothing becomes durable.
  std::vector<StreamCredit> streams(15);
  size_t pending = 0;
  for (int round = 0; round < 1000; ++round) {
    for (StreamCredit& stream : streams) {
      stream.Announced(kMaxStreamCreditBytes);
      if (stream.exhausted(admission.credit())) continue;
      stream.Taken(64 << 10);
      backend.set_pending_bytes(pending += 64 << 10);
    }
  }
  EXPECT_FALSE(admission.store_is_full());
  for (const StreamCredit& stream : streams) {
    EXPECT_NEAR(static_cast<double>(stream.unacked()), 4 << 20, 64 << 10);
  }
}

TEST(StreamCredit, CountsAgainstTheLargestThatTheClientWasTold) {
  StreamCredit credit;
  credit.Announced(1000);
  EXPECT_FALSE(credit.exhausted(10)) << "nothing is on its way";
  credit.Taken(500);
  EXPECT_TRUE(credit.exhausted(10));
  credit.Announced(10);
  EXPECT_FALSE(credit.overdrawn()) << "the news may be on its way";
  credit.Taken(500);
  EXPECT_TRUE(credit.exhausted(5000)) << "it was not told of so much";
  EXPECT_TRUE(credit.overdrawn());
  credit.Durable(1000);
  EXPECT_FALSE(credit.overdrawn());
}

class HostileClientTest : public FrontFixture {
 protected:
  explicit HostileClientTest(const IngestFrontOptions& options =
                                 {.max_streams = 3, .patience = kShort})
      : FrontFixture(/*ack_at_once=*/false, options) {}
  void ExpectOthersGoOn() {
    const auto other = OpenedClient(NewChannel());
    const size_t before = backend_.batches().size();
    ASSERT_TRUE(other->SendBatch(DenseBatch(0, 0, {{1.5}})));
    backend_.AwaitBatches(before + 1);
    backend_.AckAll();
    EXPECT_TRUE(other->ReceiveAck(0, 1));
  }
};

TEST_F(HostileClientTest, ClientBeyondItsCreditIsNotReadAndThenSentAway) {
  const auto client = OpenedClient();
  const v1::Batch batch = LargeBatch();
  while (client->SendBatch(batch)) {
  }
  const grpc::Status status = client->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("credit_bytes is 16777216"));
  EXPECT_LE(backend_.batches().size(),
            kMaxStreamCreditBytes / batch.ByteSizeLong() + 1);
  backend_.AwaitSessions(0);
  ExpectOthersGoOn();
}

TEST_F(HostileClientTest, ClientThatKeepsToItsCreditMayWaitForEver) {
  const auto client = OpenedClient();
  const v1::Batch batch = LargeBatch();
  const size_t count = kMaxStreamCreditBytes / batch.ByteSizeLong() + 1;
  for (size_t i = 0; i < count; ++i) ASSERT_TRUE(client->SendBatch(batch));
  backend_.AwaitBatches(count);
  absl::SleepFor(5 * kShort);
  backend_.AckAll();
  EXPECT_TRUE(client->ReceiveAck(0, 8192));
  ASSERT_TRUE(client->SendBatch(batch));
  backend_.AwaitBatches(count + 1);
}

TEST_F(HostileClientTest, ClientThatReadsNoAnswersIsSentAway) {
  // Its library would take many MiB of answers for it, more with each probe of
  // the bandwidth.
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  const auto client = OpenedClient(NewChannelTo(front_->port(), arguments));
  while (client->SendRaw("\x1a\x03\xff\xff\xff")) {
  }
  const grpc::Status status = client->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("no answer was read for 40ms"));
  backend_.AwaitSessions(0);
  ExpectOthersGoOn();
}

TEST_F(HostileClientTest, CallWithoutOpenIsSentAway) {
  StreamClient client(channel_);
  const grpc::Status status = client.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_THAT(status.error_message(), HasSubstr("no Open came within 40ms"));
}

TEST_F(HostileClientTest, StreamsAboveTheLimitAreRefusedAndPlacesAreGivenBack) {
  auto first = OpenedClient();
  const auto second = OpenedClient();
  const auto third = OpenedClient();
  StreamClient fourth(channel_);
  const grpc::Status status = fourth.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("max_streams is 3"));
  first.reset();
  backend_.AwaitSessions(2);
  while (true) {  // the refused call may still be leaving
    StreamClient fifth(channel_);
    fifth.SendOpen(ValidOpen());
    if (fifth.Receive().has_value()) break;
  }
}

class SilentPeerTest : public HostileClientTest {
 protected:
  SilentPeerTest()
      : HostileClientTest({.keepalive_time = absl::Milliseconds(100),
                           .keepalive_timeout = absl::Milliseconds(100),
                           .handshake_timeout = absl::Milliseconds(100)}) {}
};

TEST_F(SilentPeerTest, ConnectionThatSaysNothingIsClosed) {
  const int silent = ConnectTo(front_->port());
  ASSERT_GE(silent, 0);
  char bytes[4096];
  // The server's settings, then the end.
  while (recv(silent, bytes, sizeof(bytes), 0) > 0) {
  }
  close(silent);
  ExpectOthersGoOn();
}

TEST_F(SilentPeerTest, HalfOpenConnectionIsNoticedAndItsStreamsEnd) {
  TcpProxy proxy(front_->port());
  const auto lost = OpenedClient(NewChannelTo(proxy.port()));
  backend_.AwaitSessions(1);
  proxy.FallSilent();
  backend_.AwaitSessions(0);
  ExpectOthersGoOn();
}

// An attacker with many connections that each begin a large message and never
// end it.
TEST_F(HostileClientTest, MessagesThatNeverEndHoldNobodyUp) {
  const auto slow = OpenedClient(NewChannel());
  // A frame that announces 16 MiB, of which little comes.
  const int raw = ConnectTo(front_->port());
  ASSERT_GE(raw, 0);
  const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  ASSERT_EQ(send(raw, preface.data(), preface.size(), 0),
            static_cast<ssize_t>(preface.size()));
  const std::string frame("\xff\xff\xff\x00\x00\x00\x00\x00\x01only this", 18);
  send(raw, frame.data(), frame.size(), MSG_NOSIGNAL);
  ExpectOthersGoOn();
  close(raw);
}

}  // namespace
}  // namespace waterflow::server
