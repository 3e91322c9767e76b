// Clients that are slow, silent or do not keep to what they were told: each is
// bounded, is sent away with a reason where it can hear one, and leaves the
// others alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "server/admission.h"
#include "tests/crash/tcp_proxy.h"
#include "tests/unit/server/front_fixture.h"

namespace waterflow::server {
namespace {

using testing::ConnectAlone;
using testing::DenseBatch;
using ::testing::HasSubstr;
using testing::StreamClient;
using testing::TcpProxy;

constexpr absl::Duration kShort = absl::Milliseconds(40);

// A connection to a port of the loopback; -1: none.
int ConnectTo(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address),
              sizeof(address)) == 0) {
    return fd;
  }
  close(fd);
  return -1;
}

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
  const auto client = OpenedClient(ConnectAlone(address(), arguments));
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
  const auto lost = OpenedClient(ConnectAlone(proxy.address()));
  backend_.AwaitSessions(1);
  proxy.SetStalled(true);
  backend_.AwaitSessions(0);
  ExpectOthersGoOn();
}

constexpr char kPreface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

std::string Frame(char type, char flags, char stream,
                  const std::string& payload) {
  std::string frame = {'\0', '\0',  static_cast<char>(payload.size()),
                       type, flags, '\0',
                       '\0', '\0',  stream};
  return frame + payload;
}

// A literal header without Huffman's code (RFC 7541, 6.2.2).
std::string Header(const std::string& name, const std::string& value) {
  std::string header(1, '\0');
  header.push_back(static_cast<char>(name.size()));
  header += name;
  header.push_back(static_cast<char>(value.size()));
  return header + value;
}

bool SendBytes(int to, const std::string& bytes) {
  return send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(bytes.size());
}

// Each call begins a message of 16 MiB, of which only some bytes come.
TEST_F(HostileClientTest, CallsThatTrickleGiveTheirPlacesBack) {
  const int slow = ConnectTo(front_->port());
  ASSERT_GE(slow, 0);
  constexpr char kHeaders = 1, kData = 0, kSettings = 4, kEndHeaders = 4;
  ASSERT_TRUE(SendBytes(slow, kPreface + Frame(kSettings, 0, 0, "")));
  for (const char stream : {1, 3, 5}) {
    ASSERT_TRUE(SendBytes(
        slow, Frame(kHeaders, kEndHeaders, stream,
                    Header(":method", "POST") + Header(":scheme", "http") +
                        Header(":path", "/waterflow.v1.Ingest/Stream") +
                        Header(":authority", "localhost") +
                        Header("content-type", "application/grpc") +
                        Header("te", "trailers"))));
    ASSERT_TRUE(SendBytes(
        slow, Frame(kData, 0, stream, std::string("\0\1\0\0\0\x1a", 6))));
  }
  // Each is told the end, in headers of its stream.
  constexpr char kEndStream = 1;
  std::string received;
  int ended = 0;
  while (ended < 3) {
    char bytes[4096];
    const ssize_t size = recv(slow, bytes, sizeof(bytes), 0);
    ASSERT_GT(size, 0);
    received.append(bytes, size);
    while (received.size() >= 9) {
      const size_t length = 9 + static_cast<uint8_t>(received[2]) +
                            256 * static_cast<uint8_t>(received[1]);
      if (received.size() < length) break;
      if (received[3] == kHeaders && (received[4] & kEndStream) != 0) ++ended;
      received.erase(0, length);
    }
  }
  ExpectOthersGoOn();
  close(slow);
}

TEST_F(HostileClientTest, OversizedFrameEndsOnlyItsConnection) {
  const auto other = OpenedClient();
  const int raw = ConnectTo(front_->port());
  ASSERT_GE(raw, 0);
  ASSERT_TRUE(SendBytes(raw, kPreface));
  // A frame of 16 MiB - 1, where 16 KiB are allowed.
  SendBytes(raw,
            std::string("\xff\xff\xff\0\0\0\0\0\1", 9) + std::string(100, 'x'));
  char bytes[4096];
  while (recv(raw, bytes, sizeof(bytes), 0) > 0) {
  }
  close(raw);
  ExpectOthersGoOn();
}

}  // namespace
}  // namespace waterflow::server
