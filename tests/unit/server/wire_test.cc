// Batches taken out of raw messages, and what is said of those that break.
#include "server/wire.h"

#include <gmock/gmock.h>
#include <grpcpp/support/slice.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "waterflow/v1/ingest.pb.h"

namespace waterflow::server {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// `bytes` in slices of `size`.
grpc::ByteBuffer Buffer(const std::string& bytes, size_t size) {
  std::vector<grpc::Slice> slices;
  for (size_t at = 0; at < bytes.size(); at += size) {
    slices.emplace_back(bytes.substr(at, size));
  }
  return {slices.data(), slices.size()};
}

v1::StreamRequest BatchRequest(size_t value_bytes) {
  v1::StreamRequest request;
  request.mutable_batch()->set_rows(1);
  request.mutable_batch()->add_columns()->set_values(
      std::string(value_bytes, 'v'));
  return request;
}

TEST(TakeBatchTest, IsTheSameHoweverTheMessageIsSliced) {
  // Lengths of one, two and three bytes.
  for (const size_t value_bytes : {1, 100, 200, 40000}) {
    const v1::StreamRequest request = BatchRequest(value_bytes);
    const std::string bytes = request.SerializeAsString();
    for (const size_t slice : {size_t{1}, size_t{2}, size_t{3}, size_t{7},
                               size_t{1000}, bytes.size()}) {
      const auto body = TakeBatch(Buffer(bytes, slice));
      ASSERT_TRUE(body.has_value()) << value_bytes << " in " << slice;
      EXPECT_EQ(body->view(), request.batch().SerializeAsString());
    }
  }
}

TEST(TakeBatchTest, EmptyBatchIsABatch) {
  const auto body = TakeBatch(Buffer(std::string("\x1a\x00", 2), 2));
  ASSERT_TRUE(body.has_value());
  EXPECT_EQ(body->size, 0u);
}

TEST(TakeBatchTest, LeavesEverythingElseToTheParser) {
  v1::StreamRequest open;
  open.mutable_open();
  const std::string batch = BatchRequest(10).SerializeAsString();
  for (const std::string& bytes :
       {std::string(), open.SerializeAsString(), batch.substr(0, 1),
        batch.substr(0, batch.size() - 1), batch + "x", batch + batch,
        // A length of 2^63 and one that never ends.
        std::string("\x1a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"),
        std::string("\x1a") + std::string(20, '\xff')}) {
    EXPECT_FALSE(TakeBatch(Buffer(bytes, 5)).has_value()) << bytes;
  }
}

TEST(ParseMessageTest, NamesTheStringThatIsNotUtf8) {
  v1::StreamRequest request;
  request.mutable_schema()->add_metrics()->set_name("ok");
  request.mutable_schema()->mutable_metrics()->Add()->set_unit("\xc3\x28");
  v1::StreamRequest parsed;
  const absl::Status status =
      ParseMessage(Buffer(request.SerializeAsString(), 4), &parsed);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              StartsWith("schema.metrics[1].unit"));
}

TEST(ParseMessageTest, SaysWhereTheBytesBreak) {
  v1::StreamRequest request;
  request.mutable_schema()->add_metrics()->set_name("name");
  const std::string bytes = request.SerializeAsString();
  v1::StreamRequest parsed;
  for (size_t size = 1; size < bytes.size(); ++size) {
    const absl::Status status =
        ParseMessage(Buffer(bytes.substr(0, size), 3), &parsed);
    ASSERT_FALSE(status.ok()) << size;
    EXPECT_THAT(std::string(status.message()), HasSubstr("at its byte"));
  }
}

TEST(TokenTest, ComesBack) {
  for (const uint64_t value :
       {uint64_t{0}, uint64_t{1}, uint64_t{0x0102}, ~uint64_t{0}}) {
    const std::string token = EncodeToken(storage::Position{value});
    EXPECT_EQ(token.size(), 8u);
    EXPECT_EQ(DecodeToken(token)->value, value);
  }
  EXPECT_EQ(EncodeToken(storage::Position{0x0102}),
            std::string("\0\0\0\0\0\0\1\2", 8));
  EXPECT_EQ(DecodeToken("")->value, 0u);
  EXPECT_EQ(DecodeToken("short").status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace waterflow::server
