// Retention takes whole runs that ended, the oldest first, and none that works.
#include <gmock/gmock.h>

#include <atomic>
#include <set>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "storage/keep/retention.h"
#include "tests/unit/engine_fixture.h"

namespace waterflow::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kHourNs = int64_t{3600} * 1'000'000'000;

std::vector<uint32_t> Chosen(std::vector<RetentionCandidate> candidates,
                             uint64_t total = 0, uint64_t limit = 0) {
  std::vector<uint32_t> ids;
  for (const Removal& removal :
       ChooseRemovals(std::move(candidates), 100 * kHourNs, total, limit)) {
    ids.push_back(removal.run.value);
  }
  return ids;
}

RetentionCandidate Candidate(uint32_t id, RunStatus status, int64_t written_h,
                             int64_t limit_h = 0, uint64_t bytes = 10) {
  return {.run = RunId{id},
          .status = status,
          .streaming = false,
          .last_write_ns = written_h * kHourNs,
          .age_limit_ns = limit_h * kHourNs,
          .values = 0,
          .bytes = bytes};
}

TEST(ChooseRemovals, ByAgeOnlyWhatEndedAndIsPastItsOwnLimit) {
  RetentionCandidate streamed = Candidate(6, RunStatus::kFinished, 1, 50);
  streamed.streaming = true;
  EXPECT_THAT(Chosen({Candidate(1, RunStatus::kFinished, 40, 50),
                      Candidate(2, RunStatus::kFailed, 30, 50),
                      Candidate(3, RunStatus::kRunning, 1, 50),
                      Candidate(4, RunStatus::kScheduled, 1, 50),
                      Candidate(5, RunStatus::kLost, 20, 50), streamed,
                      Candidate(7, RunStatus::kKilled, 60, 50),
                      Candidate(8, RunStatus::kFinished, 1, 0)}),
              ElementsAre(5, 2, 1));
}

TEST(ChooseRemovals, BySizeTheOldestUntilTheRestFits) {
  const std::vector<RetentionCandidate> runs = {
      Candidate(1, RunStatus::kFinished, 30),
      Candidate(2, RunStatus::kFinished, 10),
      Candidate(3, RunStatus::kRunning, 1),
      Candidate(4, RunStatus::kLost, 5),   // silent for four days
      Candidate(5, RunStatus::kLost, 90),  // for ten hours
      Candidate(6, RunStatus::kFinished, 95)};
  EXPECT_THAT(Chosen(runs, 60, 60), IsEmpty());
  EXPECT_THAT(Chosen(runs, 60, 59), ElementsAre(4));
  EXPECT_THAT(Chosen(runs, 60, 35), ElementsAre(4, 2, 1));
  EXPECT_THAT(Chosen(runs, 60, 1), ElementsAre(4, 2, 1, 6));
  EXPECT_THAT(Chosen(runs, 60, 0), IsEmpty()) << "no limit";
}

TEST(ChooseRemovals, WhatGoesForItsAgeCountsForTheSize) {
  EXPECT_THAT(Chosen({Candidate(1, RunStatus::kFinished, 1, 50),
                      Candidate(2, RunStatus::kFinished, 60, 50)},
                     20, 10),
              ElementsAre(1));
}

class KeepRetention : public EngineTest {
 protected:
  void SetUp() override {
    options_.retention_interval = absl::Milliseconds(20);
    options_.on_run_removed = [this](const RemovedRun& run) {
      MutexLock lock(&mutex_);
      removed_.push_back(run.name);
    };
    EngineTest::SetUp();
  }
  void TearDown() override { engine_.reset(); }

  Uuid LoggedRun(const std::string& name, bool finished,
                 const std::string& project = "default") {
    CreateRunOptions options;
    options.name = name;
    options.project = project;
    const Uuid run = engine_->CreateRun(options)->first.id;
    auto stream = OpenStream(Opening(run));
    EXPECT_TRUE(stream->Declare(0, {"loss"}).ok());
    // Values that do not shrink, so that a run has a size.
    std::vector<int64_t> steps(20000);
    for (size_t i = 0; i < steps.size(); ++i)
      steps[i] = static_cast<int64_t>(i);
    std::vector<double> values(20000);
    for (double& v : values) {
      state_ = state_ * 6364136223846793005u + 1442695040888963407u;
      v = static_cast<double>(state_ >> 11);
    }
    stream->Append(
        BatchBuilder(0, 0, 20000).Steps(steps).Float64(0, values).Build());
    EXPECT_TRUE(stream->observer->WaitFor(0, 20000));
    stream->session.reset();
    if (finished) {
      UpdateRunOptions update;
      update.status = RunStatus::kFinished;
      EXPECT_TRUE(engine_->UpdateRun(run, update).ok());
    }
    return run;
  }
  std::vector<std::string> WaitForRemoved(size_t count) {
    for (int i = 0; i < 500; ++i) {
      absl::SleepFor(absl::Milliseconds(20));
      MutexLock lock(&mutex_);
      if (removed_.size() >= count) break;
    }
    MutexLock lock(&mutex_);
    return removed_;
  }

  uint64_t state_ = 1;
  Mutex mutex_;
  std::vector<std::string> removed_ ABSL_GUARDED_BY(mutex_);
};

TEST_F(KeepRetention, AProjectsAgeRemovesItsEndedRunsAndNoOthers) {
  const Uuid old = LoggedRun("old", true, "short");
  const Uuid running = LoggedRun("running", false, "short");
  const Uuid elsewhere = LoggedRun("elsewhere", true, "long");
  ASSERT_TRUE(engine_->Flush().ok());
  UpdateProjectOptions update;
  update.retention_age_ns = 1;
  const auto project = engine_->UpdateProject("short", update);
  ASSERT_TRUE(project.ok());
  EXPECT_EQ(project->retention_age_ns, 1);
  EXPECT_THAT(WaitForRemoved(1), ElementsAre("old"));
  EXPECT_TRUE(absl::IsNotFound(engine_->GetRun(old).status()));
  EXPECT_EQ(ReadRaw(running, "loss").at(0).size(), 20000u);
  EXPECT_EQ(ReadRaw(elsewhere, "loss").at(0).size(), 20000u);
  // It is the project's own, also after a restart; -1 keeps.
  update.retention_age_ns = kKeepForever;
  ASSERT_TRUE(engine_->UpdateProject("short", update).ok());
  ASSERT_TRUE(engine_->Flush().ok());
  Reopen();
  EXPECT_EQ(engine_->GetProject("short")->retention_age_ns, kKeepForever);
  update.retention_age_ns = -2;
  EXPECT_TRUE(absl::IsInvalidArgument(
      engine_->UpdateProject("short", update).status()));
}

TEST_F(KeepRetention, TheServersAgeIsForProjectsThatSayNothing) {
  LoggedRun("kept", true, "forever");
  UpdateProjectOptions update;
  update.retention_age_ns = kKeepForever;
  ASSERT_TRUE(engine_->UpdateProject("forever", update).ok());
  LoggedRun("old", true, "other");
  options_.retention_age = absl::Nanoseconds(1);
  Reopen();
  EXPECT_THAT(WaitForRemoved(1), ElementsAre("old"));
  EXPECT_EQ(engine_->ListRuns("", 10, "")->runs.size(), 1u);
}

TEST_F(KeepRetention, WhatIsRemovedCountsNoLongerThoughItsFilesAreThere) {
  for (const char* name : {"first", "second", "third"}) LoggedRun(name, true);
  ASSERT_TRUE(engine_->Flush().ok());
  options_.retention_bytes = engine_->Stats().sst_bytes / 2;
  std::atomic<bool> hold{true};
  options_.at_point = [&](absl::string_view point) {
    while (point == "merge:after_files" && hold) {
      absl::SleepFor(absl::Milliseconds(1));
    }
  };
  Reopen();
  EXPECT_THAT(WaitForRemoved(2), ElementsAre("first", "second"));
  absl::SleepFor(absl::Milliseconds(200));  // ten looks
  EXPECT_THAT(WaitForRemoved(2), ElementsAre("first", "second"));
  hold = false;
  engine_.reset();
}

TEST_F(KeepRetention, TheTotalSizeRemovesTheOldestUntilItFits) {
  for (const char* name : {"first", "second", "third"}) LoggedRun(name, true);
  LoggedRun("running", false);
  ASSERT_TRUE(engine_->Flush().ok());
  const uint64_t all = engine_->Stats().sst_bytes;
  options_.retention_bytes = all / 2 + all / 8;
  Reopen();
  EXPECT_THAT(WaitForRemoved(2), ElementsAre("first", "second"));
  absl::SleepFor(absl::Milliseconds(200));
  EXPECT_THAT(WaitForRemoved(2), ElementsAre("first", "second"));
  for (int i = 0; i < 500; ++i) {
    if (engine_->Stats().sst_bytes <= options_.retention_bytes) break;
    absl::SleepFor(absl::Milliseconds(20));
  }
  EXPECT_LE(engine_->Stats().sst_bytes, options_.retention_bytes);
}

}  // namespace
}  // namespace waterflow::storage
