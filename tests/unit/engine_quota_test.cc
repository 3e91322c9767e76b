// Quotas: passing ones make a stream wait, the others end it with a status that
// names the limit and both numbers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/ingest/quota.h"
#include "tests/unit/engine_fixture.h"

namespace waterflow::storage {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kSecondNs = 1'000'000'000;

TEST(RowRate, TakesASecondsWorthAtOnceThenMakesWait) {
  RowRate rate;
  rate.SetLimit(100);
  rate.Take(100, 0);
  EXPECT_EQ(rate.Wait(0), 0);
  rate.Take(50, 0);
  EXPECT_EQ(rate.Wait(0), kSecondNs / 2);
  EXPECT_EQ(rate.Wait(kSecondNs / 2), 0);
}

TEST(RowRate, IdleTimeIsNotSavedUp) {
  RowRate rate;
  rate.SetLimit(100);
  rate.Take(100, 1000 * kSecondNs);
  rate.Take(100, 1000 * kSecondNs);
  EXPECT_EQ(rate.Wait(1000 * kSecondNs), kSecondNs);
}

TEST(RowRate, NoLimitNeverMakesWaitAndANewOneForgives) {
  RowRate rate;
  rate.Take(~uint64_t{0} >> 1);
  EXPECT_EQ(rate.Wait(), 0);
  rate.SetLimit(1);
  rate.Take(1000);
  EXPECT_GT(rate.Wait(), 0);
  rate.SetLimit(2);
  EXPECT_EQ(rate.Wait(), 0);
}

class EngineQuotaTest : public EngineTest {
 protected:
  void SetLimits(uint64_t rows_per_second, uint64_t disk_bytes) {
    UpdateProjectOptions update;
    update.max_rows_per_second = rows_per_second;
    update.max_disk_bytes = disk_bytes;
    const auto project = engine_->UpdateProject("default", update);
    ASSERT_TRUE(project.ok()) << project.status();
    EXPECT_EQ(project->max_rows_per_second, rows_per_second);
    EXPECT_EQ(project->max_disk_bytes, disk_bytes);
  }
  absl::Status Write(const Uuid& run, const std::string& request_id = "",
                     const Worker& worker = {}) {
    WriteOptions write;
    write.run = run;
    write.worker = worker;
    write.request_id = request_id;
    for (int64_t step = 0; step < 10; ++step) {
      write.points.push_back({"loss", 1.5, step, step});
    }
    return engine_->Write(write).status();
  }
  absl::Status Open(const Uuid& run, uint32_t rank) {
    TestStream stream;
    StreamOptions options = Opening(run);
    options.worker.rank = rank;
    options.stream = Uuid::Random();
    return OpenAndWait(engine_.get(), options, &stream);
  }
};

TEST_F(EngineQuotaTest, LimitsOfAProjectAreKeptOverARestart) {
  MakeRun();
  SetLimits(100, 1 << 20);
  Reopen();
  EXPECT_EQ(engine_->GetProject("default")->max_rows_per_second, 100u);
  EXPECT_EQ(engine_->GetProject("default")->max_disk_bytes, 1u << 20);
  ASSERT_TRUE(engine_->Seal().ok());
  Reopen();
  EXPECT_EQ(engine_->GetProject("default")->max_rows_per_second, 100u);
}

TEST_F(EngineQuotaTest, RowsAboveTheRateAreTakenAndMakeAllOfTheProjectWait) {
  auto stream = OpenStream(Opening(MakeRun()));
  auto other = OpenStream(Opening(MakeRun("other")));
  ASSERT_TRUE(stream->Declare(0, {"loss"}).ok());
  EXPECT_EQ(stream->session->Throttled(), absl::ZeroDuration());
  SetLimits(1, 0);
  EXPECT_FALSE(stream->Append(Rows(0, 0, 1000)).has_value());
  EXPECT_TRUE(stream->observer->WaitFor(0, 1000));
  EXPECT_GT(stream->session->Throttled(), absl::ZeroDuration());
  EXPECT_GT(other->session->Throttled(), absl::ZeroDuration());
  SetLimits(0, 0);
  EXPECT_EQ(stream->session->Throttled(), absl::ZeroDuration());
}

TEST_F(EngineQuotaTest, RowsThatAreStoredAlreadyCountNoMore) {
  auto stream = OpenStream(Opening(MakeRun()));
  ASSERT_TRUE(stream->Declare(0, {"loss"}).ok());
  EXPECT_FALSE(stream->Append(Rows(0, 0, 1000)).has_value());
  SetLimits(1, 0);
  EXPECT_FALSE(stream->Append(Rows(0, 0, 1000)).has_value());
  EXPECT_EQ(stream->session->Throttled(), absl::ZeroDuration());
}

TEST_F(EngineQuotaTest, WriteAboveTheRateIsRefusedByNameAndNumber) {
  const Uuid run = MakeRun();
  SetLimits(1, 0);
  ASSERT_TRUE(Write(run, "first").ok());
  const absl::Status refused = Write(run);
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("project \"default\": max_rows_per_second is 1"));
  EXPECT_TRUE(Write(run, "first").ok()) << "a repeat writes nothing";
}

TEST_F(EngineQuotaTest, RateOfTheServerIsForAllProjects) {
  options_.max_rows_per_second = 1;
  Reopen();
  const Uuid run = MakeRun();
  ASSERT_TRUE(Write(run).ok());
  const absl::Status refused = Write(run);
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("the server: max_rows_per_second is 1"));
}

TEST_F(EngineQuotaTest, ProjectThatTakesTooMuchDiskTakesNoRowsUntilItIsRaised) {
  options_.quota_interval = absl::Milliseconds(10);
  Reopen();
  const Uuid run = MakeRun();
  auto stream = OpenStream(Opening(run));
  ASSERT_TRUE(stream->Declare(0, {"loss"}).ok());
  EXPECT_FALSE(stream->Append(Rows(0, 0, 1000)).has_value());
  ASSERT_TRUE(stream->observer->WaitFor(0, 1000));
  ASSERT_TRUE(engine_->Flush().ok());
  SetLimits(0, 1);
  const uint64_t bytes = engine_->GetProject("default")->disk_bytes;
  EXPECT_GT(bytes, 1u);

  // The next row ends the stream, and none opens.
  EXPECT_FALSE(stream->Append(Rows(0, 1000, 1)).has_value());
  const absl::Status ended = stream->observer->WaitForEnd();
  EXPECT_TRUE(absl::IsResourceExhausted(ended)) << ended;
  EXPECT_THAT(std::string(ended.message()),
              HasSubstr(absl::StrCat("project \"default\": max_disk_bytes is "
                                     "1, its files take ",
                                     bytes)));
  stream->session.reset();
  EXPECT_TRUE(absl::IsResourceExhausted(Open(run, 0)));
  EXPECT_TRUE(absl::IsResourceExhausted(Write(run)));
  EXPECT_EQ(ReadRaw(run, "loss").at(0).size(), 1000u);

  SetLimits(0, bytes * 100);
  EXPECT_TRUE(Open(run, 0).ok());
  EXPECT_TRUE(Write(run).ok());
}

TEST_F(EngineQuotaTest, DiskOfAProjectIsItsOwnAndDeletesGiveItBack) {
  options_.quota_interval = absl::Milliseconds(10);
  Reopen();
  const Uuid run = MakeRun();
  const Uuid gone = MakeRun("gone");
  CreateRunOptions elsewhere;
  elsewhere.project = "elsewhere";
  const Uuid other = engine_->CreateRun(elsewhere)->first.id;
  ASSERT_TRUE(Write(gone).ok());
  ASSERT_TRUE(engine_->Flush().ok());
  SetLimits(0, 1);
  EXPECT_TRUE(absl::IsResourceExhausted(Open(run, 0)));
  EXPECT_TRUE(Open(other, 0).ok());
  ASSERT_TRUE(engine_->DeleteRun(gone).ok());
  while (engine_->GetProject("default")->disk_bytes > 0) {
    absl::SleepFor(absl::Milliseconds(1));
  }
  EXPECT_TRUE(Open(run, 0).ok());
}

TEST_F(EngineQuotaTest, WorkersOfARunAreBounded) {
  options_.max_workers_per_run = 2;
  Reopen();
  const Uuid run = MakeRun();
  EXPECT_TRUE(Open(run, 0).ok());
  EXPECT_TRUE(Write(run, "", {.role = "", .rank = 1}).ok());
  const absl::Status refused = Open(run, 2);
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("has 2 workers, max_workers_per_run is 2"));
  EXPECT_TRUE(
      absl::IsResourceExhausted(Write(run, "", {.role = "", .rank = 2})));
  EXPECT_TRUE(Open(run, 1).ok()) << "known workers come back";
  EXPECT_TRUE(Open(MakeRun("other"), 2).ok());
}

}  // namespace
}  // namespace waterflow::storage
