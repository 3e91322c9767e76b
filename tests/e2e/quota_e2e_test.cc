// Quotas as a client meets them: a rate makes it wait and refuses nothing, what
// cannot pass by itself ends the call with the limit's name and number.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/e2e/server_fixture.h"

namespace waterflow::testing {
namespace {

using ::testing::HasSubstr;

class QuotaE2eTest : public ServerFixture {
 protected:
  QuotaE2eTest() {
    options_.engine.quota_interval = absl::Milliseconds(10);
    options_.engine.max_workers_per_run = 4;
    Restart();
  }
  v1::Project SetLimits(uint64_t rows_per_second, uint64_t disk_bytes) {
    grpc::ClientContext context;
    v1::UpdateProjectRequest request;
    request.set_name("default");
    request.set_max_rows_per_second(rows_per_second);
    request.set_max_disk_bytes(disk_bytes);
    v1::UpdateProjectResponse response;
    const grpc::Status status =
        tracking_->UpdateProject(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.project();
  }
  grpc::Status Write(const std::string& run) {
    grpc::ClientContext context;
    v1::WriteRequest request;
    request.set_run_id(run);
    v1::Point* point = request.add_points();
    point->set_metric("a");
    point->set_value(1);
    v1::WriteResponse response;
    return ingest_->Write(&context, request, &response);
  }
  void Flush() {
    grpc::ClientContext context;
    v1::FlushResponse response;
    EXPECT_TRUE(admin_->Flush(&context, {}, &response).ok());
  }
};

TEST_F(QuotaE2eTest, StreamAboveItsRateWaitsAndNothingIsRefused) {
  const std::string run = CreateRun();
  const v1::Project project = SetLimits(2000, 0);
  EXPECT_EQ(project.max_rows_per_second(), 2000u);
  const auto client = OpenStream(OpenOf(run), {"a"});
  constexpr uint64_t kRows = 1500;
  for (uint64_t batch = 0; batch < 3; ++batch) {
    ASSERT_TRUE(client->SendBatch(
        DenseBatch(0, batch * kRows, {std::vector<double>(kRows, 1.5)},
                   static_cast<int64_t>(batch * kRows))));
  }
  EXPECT_TRUE(client->ReceiveAck(0, 3 * kRows));
  EXPECT_EQ(ReadAll(run, "a").values_size(), 3 * static_cast<int>(kRows));
}

TEST_F(QuotaE2eTest, RaisedRateLetsAWaitingStreamGoOn) {
  const std::string run = CreateRun();
  SetLimits(1, 0);
  const auto client = OpenStream(OpenOf(run), {"a"});
  // An hour's worth and more.
  ASSERT_TRUE(
      client->SendBatch(DenseBatch(0, 0, {std::vector<double>(5000, 1.5)})));
  ASSERT_TRUE(client->SendBatch(DenseBatch(0, 5000, {{2.5}})));
  ASSERT_TRUE(client->ReceiveAck(0, 5000));
  SetLimits(0, 0);
  EXPECT_TRUE(client->ReceiveAck(0, 5001));
}

TEST_F(QuotaE2eTest, OtherProjectsDoNotWaitForOneAboveItsRate) {
  const std::string run = CreateRun();
  SetLimits(1, 0);
  const auto client = OpenStream(OpenOf(run), {"a"});
  ASSERT_TRUE(SendAndAwaitAck(
      client.get(), DenseBatch(0, 0, {std::vector<double>(5000, 1.5)})));

  grpc::ClientContext context;
  v1::CreateRunRequest request;
  request.set_project("elsewhere");
  v1::CreateRunResponse response;
  ASSERT_TRUE(tracking_->CreateRun(&context, request, &response).ok());
  const auto other = OpenStream(OpenOf(response.run().id()), {"a"});
  EXPECT_TRUE(SendAndAwaitAck(other.get(), DenseBatch(0, 0, {{1}})));
}

TEST_F(QuotaE2eTest, UnaryWriteAboveTheRateIsResourceExhausted) {
  const std::string run = CreateRun();
  SetLimits(1, 0);
  const auto client = OpenStream(OpenOf(run), {"a"});
  ASSERT_TRUE(SendAndAwaitAck(
      client.get(), DenseBatch(0, 0, {std::vector<double>(5000, 1.5)})));
  const grpc::Status status = Write(run);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("max_rows_per_second is 1"));
}

TEST_F(QuotaE2eTest, ProjectAboveItsDiskBytesEndsStreamsThatSendRows) {
  const std::string run = CreateRun();
  const auto client = OpenStream(OpenOf(run), {"a"});
  const auto idle = OpenStream(OpenOf(run, 1, 'i'), {"a"});
  ASSERT_TRUE(SendAndAwaitAck(client.get(), DenseBatch(0, 0, {{1}})));
  Flush();
  const v1::Project project = SetLimits(0, 1);
  EXPECT_GT(project.disk_bytes(), 1u);
  client->SendBatch(DenseBatch(0, 1, {{2}}));
  const grpc::Status status = client->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("max_disk_bytes is 1"));
  EXPECT_EQ(Write(run).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  StreamClient again(channel_);
  ASSERT_TRUE(again.SendOpen(OpenOf(run)));
  EXPECT_EQ(again.Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);

  SetLimits(0, 0);
  EXPECT_TRUE(SendAndAwaitAck(idle.get(), DenseBatch(0, 0, {{1}})))
      << "who sent nothing meanwhile heard nothing";
}

TEST_F(QuotaE2eTest, WorkersAboveTheLimitOfARunAreRefusedByNameAndNumber) {
  const std::string run = CreateRun();
  for (uint32_t rank = 0; rank < 4; ++rank) {
    OpenStream(OpenOf(run, rank, static_cast<char>('0' + rank)));
  }
  StreamClient client(channel_);
  ASSERT_TRUE(client.SendOpen(OpenOf(run, 4, '4')));
  const grpc::Status status = client.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("max_workers_per_run is 4"));
}

}  // namespace
}  // namespace waterflow::testing
