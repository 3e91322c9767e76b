// Questions about the workers of a run, through a real server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/e2e/server_fixture.h"

namespace waterflow::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class WorkersE2eTest : public ServerFixture {
 protected:
  void SetUp() override {
    run_ = CreateRun("lm");
    // Rank 2 is slow, has another loss at step 1 and lacks step 2.
    for (uint32_t rank = 0; rank < 3; ++rank) {
      v1::WriteRequest write;
      write.set_run_id(run_);
      write.mutable_worker()->set_rank(rank);
      for (int64_t step = 0; step < (rank == 2 ? 2 : 3); ++step) {
        v1::Point* const loss = write.add_points();
        loss->set_metric("loss");
        loss->set_step(step);
        loss->set_value(rank == 2 && step == 1 ? 9
                                               : 3 - static_cast<int>(step));
        v1::Point* const time = write.add_points();
        time->set_metric("step_time");
        time->set_step(step);
        time->set_value(rank == 2 ? 2 : 1);
      }
      v1::WriteResponse written;
      grpc::ClientContext context;
      ASSERT_TRUE(ingest_->Write(&context, write, &written).ok());
    }
  }

  std::string run_;
};

TEST_F(WorkersE2eTest, RankWorkersFindsTheOneThatDiffers) {
  v1::RankWorkersRequest request;
  request.set_run_id(run_);
  request.set_metric("loss");
  request.set_by(v1::WORKER_STATISTIC_DIFFERENCE);
  request.set_min_deviation(3.5);
  v1::RankWorkersResponse response;
  grpc::ClientContext context;
  const grpc::Status status = query_->RankWorkers(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(response.workers_size(), 1);
  EXPECT_EQ(response.workers(0).worker().rank(), 2u);
  EXPECT_EQ(response.workers(0).value(), 7);
  EXPECT_THAT(response.workers(0).points().max(), ElementsAre(9));
  EXPECT_THAT(response.workers(0).points().max_position(), ElementsAre(1));
  EXPECT_EQ(response.worker_count(), 3u);
  EXPECT_EQ(response.median(), 0);
}

TEST_F(WorkersE2eTest, RankWorkersRefusesWhatItDoesNotKnow) {
  v1::RankWorkersRequest request;
  request.set_run_id(run_);
  request.set_metric("loss");
  request.set_by(static_cast<v1::WorkerStatistic>(77));
  v1::RankWorkersResponse response;
  grpc::ClientContext context;
  grpc::Status status = query_->RankWorkers(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "by: 77 is not a WorkerStatistic");
  request.set_run_id("xyz");
  grpc::ClientContext again;
  status = query_->RankWorkers(&again, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("run_id"));
}

TEST_F(WorkersE2eTest, StragglersAreToldByTheRoleOfAMetric) {
  const auto stream = OpenStream(OpenOf(run_));
  ASSERT_NE(stream, nullptr);
  v1::StreamRequest schema;
  v1::Metric* const metric = schema.mutable_schema()->add_metrics();
  metric->set_name("step_time");
  metric->set_role("step_time");
  metric->set_unit("s");
  ASSERT_TRUE(stream->Send(schema));
  ASSERT_TRUE(SendAndAwaitAck(stream.get(), DenseBatch(0, 0, {{2, 2, 1.0}})));
  v1::StragglersRequest request;
  request.set_run_id(run_);
  request.set_limit(1);
  v1::StragglersResponse response;
  grpc::ClientContext context;
  const grpc::Status status = query_->Stragglers(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.metric(), "step_time");
  EXPECT_EQ(response.unit(), "s");
  EXPECT_EQ(response.worker_count(), 3u);
  EXPECT_EQ(response.step_count(), 3u);
  ASSERT_EQ(response.workers_size(), 1);
  EXPECT_EQ(response.workers(0).worker().rank(), 2u);
  EXPECT_EQ(response.workers(0).mean(), 2);
  EXPECT_EQ(response.workers(0).slowest_steps(), 2u);
}

TEST_F(WorkersE2eTest, MissingNamesWhoLags) {
  v1::MissingRequest request;
  request.set_run_id(run_);
  v1::MissingResponse response;
  grpc::ClientContext context;
  const grpc::Status status = query_->Missing(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.step(), 2);
  EXPECT_EQ(response.worker_count(), 3u);
  ASSERT_EQ(response.workers_size(), 1);
  EXPECT_EQ(response.workers(0).worker().rank(), 2u);
  EXPECT_EQ(response.workers(0).last_step(), 1);
}

TEST_F(WorkersE2eTest, ReducedAnswersHaveQuantilesAndSayWhatTheyTook) {
  v1::ReadRequest request = ReadOf(run_, "loss");
  request.set_reduction(v1::REDUCTION_MEAN);
  request.add_quantiles(0.5);
  request.add_quantiles(1);
  const Answer answer = Read(request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  ASSERT_EQ(answer.parts.size(), 1u);
  EXPECT_THAT(answer.parts[0].buckets().quantiles(),
              ElementsAre(3, 3, 2, 9, 1, 1));
  EXPECT_FALSE(answer.parts[0].buckets().quantiles_sketched());
  EXPECT_EQ(answer.summary.points_read(), 8u);
  ASSERT_EQ(answer.summary.attempts_size(), 1);
  EXPECT_EQ(answer.summary.attempts(0).attempt(), 1u);
  EXPECT_EQ(answer.summary.attempts(0).run_id(), run_);
}

}  // namespace
}  // namespace waterflow::testing
