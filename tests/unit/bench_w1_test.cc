// Workload W1 is what its header says, and the same each time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "bench/w1.h"

namespace waterflow::bench {
namespace {

W1Options Small() { return {.workers = 6, .metrics = 100, .steps = 50}; }

TEST(W1Test, SameSeedSameValues) {
  const Dataset a = MakeW1(Small());
  const Dataset b = MakeW1(Small());
  ASSERT_EQ(a.size(), 6);
  for (size_t w = 0; w < a.size(); ++w) {
    EXPECT_EQ(a[w].lanes[0].times_ns, b[w].lanes[0].times_ns);
    EXPECT_EQ(a[w].lanes[0].columns, b[w].lanes[0].columns);
  }
}

TEST(W1Test, AnotherSeedOtherValues) {
  W1Options options = Small();
  const Dataset a = MakeW1(options);
  options.seed = 2;
  const Dataset b = MakeW1(options);
  EXPECT_NE(a[0].lanes[0].columns[0], b[0].lanes[0].columns[0]);
}

// So that a smaller run measures the same data.
TEST(W1Test, WorkersDoNotDependOnHowManyThereAre) {
  W1Options options = Small();
  const Dataset all = MakeW1(options);
  options.workers = 2;
  const Dataset two = MakeW1(options);
  EXPECT_EQ(two[1].lanes[0].columns, all[1].lanes[0].columns);
}

TEST(W1Test, HasTheSizesAskedFor) {
  const Dataset dataset = MakeW1(Small());
  for (const WorkerRows& worker : dataset) {
    ASSERT_EQ(worker.lanes.size(), 1);
    const LaneRows& lane = worker.lanes[0];
    EXPECT_EQ(lane.rows(), 50);
    EXPECT_EQ(lane.times_ns.size(), 50);
    EXPECT_EQ(lane.metrics.size(), 100);
    ASSERT_EQ(lane.columns.size(), 100);
    for (const auto& column : lane.columns) EXPECT_EQ(column.size(), 50);
  }
}

TEST(W1Test, KindsHaveTheirShares) {
  int loss = 0, counter = 0, constant = 0, same = 0, timing = 0;
  for (const std::string& name : W1Names(100)) {
    loss += absl::StartsWith(name, "loss_");
    counter += absl::StartsWith(name, "cnt_");
    constant += absl::StartsWith(name, "const_");
    same += absl::StartsWith(name, "same_");
    timing += absl::StartsWith(name, "time_");
  }
  EXPECT_EQ(loss, 40);
  EXPECT_EQ(counter, 15);
  EXPECT_EQ(constant, 10);
  EXPECT_EQ(same, 10);
  EXPECT_EQ(timing, 25);
}

TEST(W1Test, AnyNumberOfMetricsWorks) {
  for (uint32_t metrics = 1; metrics < 12; ++metrics) {
    EXPECT_EQ(W1Names(metrics).size(), metrics);
    W1Options options = Small();
    options.metrics = metrics;
    EXPECT_EQ(MakeW1(options)[0].lanes[0].columns.size(), metrics);
  }
}

TEST(W1Test, ValuesAreOfTheirKind) {
  const Dataset dataset = MakeW1(Small());
  const LaneRows& lane = dataset[0].lanes[0];
  const LaneRows& other = dataset[1].lanes[0];
  for (size_t m = 0; m < lane.metrics.size(); ++m) {
    SCOPED_TRACE(lane.metrics[m]);
    const std::vector<double>& column = lane.columns[m];
    for (size_t s = 0; s < column.size(); ++s) {
      const double value = column[s];
      if (absl::StartsWith(lane.metrics[m], "loss_")) {
        EXPECT_EQ(value, static_cast<float>(value));
      } else if (absl::StartsWith(lane.metrics[m], "cnt_")) {
        EXPECT_EQ(value, std::floor(value));
        if (s > 0) {
          EXPECT_GT(value, column[s - 1]);
        }
      } else if (absl::StartsWith(lane.metrics[m], "const_")) {
        EXPECT_EQ(value, column[0]);
      }
    }
    if (absl::StartsWith(lane.metrics[m], "same_")) {
      EXPECT_EQ(column, other.columns[m]);
    } else if (absl::StartsWith(lane.metrics[m], "loss_") ||
               absl::StartsWith(lane.metrics[m], "time_")) {
      EXPECT_NE(column, other.columns[m]);
    }
  }
}

TEST(W1Test, TimeGoesForward) {
  for (const WorkerRows& worker : MakeW1(Small())) {
    const LaneRows& lane = worker.lanes[0];
    for (size_t s = 1; s < lane.rows(); ++s) {
      EXPECT_GT(lane.times_ns[s], lane.times_ns[s - 1]);
    }
  }
}

}  // namespace
}  // namespace waterflow::bench
