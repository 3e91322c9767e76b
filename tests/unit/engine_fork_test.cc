// A fork reads as its parent up to the step where it leaves it.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/engine_fixture.h"

namespace waterflow::storage {
namespace {

class EngineFork : public EngineTest {
 protected:
  // `rows` rows of one metric with steps from `first_step` on: value = step +
  // offset.
  void Log(const Uuid& run, const std::string& metric, int64_t first_step,
           uint32_t rows, double offset, uint32_t attempt = 1,
           uint32_t rank = 0, bool with_steps = true) {
    StreamOptions options = Opening(run, rank);
    options.stream.bytes[2] = static_cast<uint8_t>(++streams_);
    options.attempt = attempt;
    if (attempt > 1) options.resume_step = first_step;
    auto stream = OpenStream(options);
    ASSERT_TRUE(stream.ok()) << stream.status();
    ASSERT_TRUE(stream->Declare(0, {metric}).ok());
    std::vector<int64_t> steps;
    std::vector<int64_t> times;
    std::vector<double> values;
    for (uint32_t r = 0; r < rows; ++r) {
      steps.push_back(first_step + r);
      times.push_back(1'000'000'000 * ++clock_);
      values.push_back(static_cast<double>(first_step + r) + offset);
    }
    BatchBuilder batch(0, 0, rows);
    if (with_steps) batch.Steps(steps);
    ASSERT_FALSE(stream->Append(batch.Times(times).Float64(0, values).Build())
                     .has_value());
    ASSERT_TRUE(stream->observer->WaitFor(0, rows));
  }
  absl::StatusOr<Uuid> TryFork(const Uuid& parent, int64_t step,
                               const std::string& project = "default") {
    CreateRunOptions options;
    options.project = project;
    options.fork_from = Fork{parent, step};
    auto run = engine_->CreateRun(options);
    if (!run.ok()) return run.status();
    return run->first.id;
  }
  Uuid ForkOf(const Uuid& parent, int64_t step) {
    const absl::StatusOr<Uuid> fork = TryFork(parent, step);
    EXPECT_TRUE(fork.ok()) << fork.status();
    return *fork;
  }
  std::vector<LastValue> LastValuesOf(const Uuid& run) {
    LastValuesSpec spec;
    spec.run = run;
    auto values = engine_->LastValues(spec);
    EXPECT_TRUE(values.ok()) << values.status();
    return *values;
  }
  std::vector<double> Values(const Uuid& run, const std::string& metric,
                             uint32_t rank = 0) {
    return ReadRaw(run, metric)[rank].values;
  }

 private:
  int64_t clock_ = 0;
  uint32_t streams_ = 0;
};

TEST_F(EngineFork, BeginsAsItsParentsPrefix) {
  const Uuid parent = MakeRun();
  Log(parent, "loss", 0, 6, 0);
  Log(parent, "loss", 0, 6, 100, 1, /*rank=*/1);
  Log(parent, "lr", 0, 3, 0.5);
  const Uuid fork = ForkOf(parent, 4);
  // The fork comes back with one of two ranks, and a metric of its own.
  Log(fork, "loss", 4, 3, 0.25);
  Log(fork, "new", 4, 1, 0);
  for (const char* when : {"in heads", "replayed", "sealed", "reopened"}) {
    SCOPED_TRACE(when);
    EXPECT_EQ(Values(fork, "loss"),
              (std::vector<double>{0, 1, 2, 3, 4.25, 5.25, 6.25}));
    EXPECT_EQ(Values(fork, "loss", 1),
              (std::vector<double>{100, 101, 102, 103}));
    EXPECT_EQ(Values(fork, "lr"), (std::vector<double>{0.5, 1.5, 2.5}));
    EXPECT_EQ(Values(fork, "new"), (std::vector<double>{4}));
    // The parent knows nothing of it.
    EXPECT_EQ(Values(parent, "loss").size(), 6u);
    const auto metrics = engine_->ListMetrics(fork);
    ASSERT_TRUE(metrics.ok());
    ASSERT_EQ(metrics->size(), 3u);
    const std::vector<LastValue> last = LastValuesOf(fork);
    ASSERT_EQ(last.size(), 4u);
    EXPECT_EQ(last.at(0).metric, "loss");
    EXPECT_EQ(last.at(0).value, 6.25);
    EXPECT_EQ(last.at(0).count, 7u);
    EXPECT_EQ(last.at(0).min, 0);
    EXPECT_EQ(last.at(0).max, 6.25);
    EXPECT_DOUBLE_EQ(last.at(0).mean, (0 + 1 + 2 + 3 + 4.25 + 5.25 + 6.25) / 7);
    EXPECT_EQ(last.at(1).value, 103);
    EXPECT_EQ(last.at(1).worker.rank, 1u);
    const auto run = engine_->GetRun(fork);
    ASSERT_TRUE(run.ok());
    EXPECT_EQ(run->forked_from, (Fork{parent, 4}));
    EXPECT_EQ(run->row_count, 4u);
    if (std::string(when) == "in heads" || std::string(when) == "sealed") {
      Reopen();
    } else {
      ASSERT_TRUE(engine_->Flush().ok());
    }
  }
}

TEST_F(EngineFork, OfAForkReadsThroughBoth) {
  const Uuid first = MakeRun();
  Log(first, "loss", 0, 10, 0);
  const Uuid second = ForkOf(first, 6);
  Log(second, "loss", 6, 4, 0.25);
  const Uuid third = ForkOf(second, 8);
  Log(third, "loss", 8, 1, 0.5);
  // Before where its parent left: that parent has nothing to say there.
  const Uuid early = ForkOf(second, 2);
  ASSERT_TRUE(engine_->Flush().ok());
  EXPECT_EQ(Values(third, "loss"),
            (std::vector<double>{0, 1, 2, 3, 4, 5, 6.25, 7.25, 8.5}));
  EXPECT_EQ(Values(early, "loss"), (std::vector<double>{0, 1}));
}

TEST_F(EngineFork, KeepsThePrefixAsItStood) {
  const Uuid parent = MakeRun();
  Log(parent, "loss", 0, 6, 0);
  Log(parent, "loss", 2, 4, 0.25, /*attempt=*/2);
  const Uuid fork = ForkOf(parent, 5);
  // The parent resumes once more, from further back.
  Log(parent, "loss", 1, 9, 0.5, /*attempt=*/3);
  EXPECT_EQ(Values(fork, "loss"),
            (std::vector<double>{0, 1, 2.25, 3.25, 4.25}));
  EXPECT_EQ(Values(parent, "loss").size(), 10u);
  ASSERT_TRUE(engine_->Flush().ok());
  EXPECT_EQ(Values(fork, "loss"),
            (std::vector<double>{0, 1, 2.25, 3.25, 4.25}));
}

TEST_F(EngineFork, LeavesOutRowsWithoutAStep) {
  const Uuid parent = MakeRun();
  Log(parent, "note", 0, 3, 0, 1, 0, /*with_steps=*/false);
  const Uuid fork = ForkOf(parent, 100);
  EXPECT_EQ(ReadRaw(parent, "note", Axis::kTime)[0].size(), 3u);
  EXPECT_TRUE(ReadRaw(fork, "note", Axis::kTime).empty());
  EXPECT_TRUE(LastValuesOf(fork).empty());
}

TEST_F(EngineFork, HoldsOnToItsParent) {
  const Uuid parent = MakeRun();
  Log(parent, "loss", 0, 3, 0);
  const Uuid fork = ForkOf(parent, 2);
  const absl::Status refused = engine_->DeleteRun(parent);
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(refused.message().find(fork.ToHex()), std::string::npos) << refused;
  Reopen();
  EXPECT_FALSE(engine_->DeleteRun(parent).ok());
  ASSERT_TRUE(engine_->DeleteRun(fork).ok());
  EXPECT_TRUE(engine_->DeleteRun(parent).ok());
  Reopen();
  EXPECT_EQ(engine_->ListRuns("", 10, "")->runs.size(), 0u);
}

TEST_F(EngineFork, AProjectGoesWithItsForksButNotWithThoseOfOthers) {
  CreateRunOptions options;
  options.project = "a";
  const Uuid parent = engine_->CreateRun(options)->first.id;
  ASSERT_TRUE(TryFork(parent, 1, "a").ok());
  const absl::StatusOr<Uuid> other = TryFork(parent, 1, "b");
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(engine_->DeleteProject("a").status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(engine_->GetRun(parent).ok());
  ASSERT_TRUE(engine_->DeleteRun(*other).ok());
  EXPECT_EQ(*engine_->DeleteProject("a"), 2u);
  Reopen();
  EXPECT_EQ(engine_->ListRuns("", 10, "")->runs.size(), 0u);
}

TEST_F(EngineFork, OfNothingOrOfTooManyIsRefused) {
  const Uuid parent = MakeRun();
  Uuid unknown;
  unknown.bytes[3] = 7;
  const auto missing = TryFork(unknown, 1);
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(missing.status().message().find("fork_from"), std::string::npos);
  // Nor does it leave the project behind that it would have been in.
  EXPECT_FALSE(TryFork(unknown, 1, "new").ok());
  EXPECT_FALSE(engine_->GetProject("new").ok());
  Uuid last = parent;
  for (int i = 0; i < 64; ++i) last = ForkOf(last, 1);
  const auto deep = TryFork(last, 1);
  EXPECT_EQ(deep.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(deep.status().message().find("at most 64"), std::string::npos);
}

}  // namespace
}  // namespace waterflow::storage
