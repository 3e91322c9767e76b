// A stream front over a backend that stores nothing, and clients of it.
#ifndef WATERFLOW_TESTS_UNIT_SERVER_FRONT_FIXTURE_H_
#define WATERFLOW_TESTS_UNIT_SERVER_FRONT_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/ingest_front.h"
#include "tests/e2e/stream_client.h"
#include "tests/unit/server/counting_backend.h"

namespace waterflow::server {

class FrontFixture : public ::testing::Test {
 protected:
  explicit FrontFixture(bool ack_at_once = true,
                        const IngestFrontOptions& options = {})
      : backend_(ack_at_once),
        front_(IngestFront::Start(options, &backend_).value()),
        channel_(NewChannel()) {}

  std::string address() const {
    return absl::StrCat("127.0.0.1:", front_->port());
  }
  std::shared_ptr<grpc::Channel> NewChannel() const {
    return testing::ConnectAlone(address());
  }

  static v1::Open ValidOpen() {
    v1::Open open;
    open.set_run_id(storage::Uuid{}.ToHex());
    open.set_stream_id(std::string(16, 's'));
    return open;
  }

  // A call whose Open was answered.
  std::unique_ptr<testing::StreamClient> OpenedClient() {
    return OpenedClient(channel_);
  }
  static std::unique_ptr<testing::StreamClient> OpenedClient(
      const std::shared_ptr<grpc::Channel>& channel) {
    auto client = std::make_unique<testing::StreamClient>(channel);
    EXPECT_TRUE(client->SendOpen(ValidOpen()));
    const auto opened = client->Receive();
    EXPECT_TRUE(opened.has_value() && opened->has_opened());
    return client;
  }

  testing::CountingBackend backend_;
  std::unique_ptr<IngestFront> front_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace waterflow::server

#endif  // WATERFLOW_TESTS_UNIT_SERVER_FRONT_FIXTURE_H_
