// One metric of many runs along one axis: what is said of a group is what its
// runs' points say, on whatever axis.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/engine_fixture.h"

namespace waterflow::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr int64_t kSecond = 1'000'000'000;

struct Logged {
  uint32_t rank = 0;
  int64_t step = 0;
  int64_t time_ns = 0;
  double x = 0;
  double y = 0;
};

struct NaiveRun {
  Uuid id;
  int64_t start_ns = 0;
  std::string lr;
  std::vector<Logged> points;
};

double MeanOfFinite(const std::vector<double>& values) {
  long double sum = 0;
  size_t count = 0;
  for (const double v : values) {
    if (!std::isfinite(v)) continue;
    sum += v;
    ++count;
  }
  return count == 0 ? kNan : static_cast<double>(sum / count);
}

bool Near(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return std::abs(a - b) <= 1e-9 * std::max({1.0, std::abs(a), std::abs(b)});
}

// Cell -> run -> its value there.
using Cells = std::map<double, std::map<size_t, double>>;

// Least k that makes at most so many cells of 2^k.
int NaiveShift(double min, double max, double max_points) {
  int k = -60;
  while (std::floor(std::ldexp(max, -k)) - std::floor(std::ldexp(min, -k)) + 1 >
         max_points) {
    ++k;
  }
  return k;
}

class EngineBands : public EngineTest {
 protected:
  NaiveRun Create(const std::string& lr) {
    CreateRunOptions options;
    options.name = absl::StrCat("run", runs_.size());
    if (!lr.empty()) options.params = {{"lr", lr}};
    NaiveRun run;
    run.lr = lr;
    run.start_ns = static_cast<int64_t>(runs_.size() + 1) * 1000 * kSecond;
    options.start_ns = run.start_ns;
    auto made = engine_->CreateRun(options);
    EXPECT_TRUE(made.ok()) << made.status();
    run.id = made->first.id;
    return run;
  }
  void Log(NaiveRun* run, const Logged& point) {
    WriteOptions write;
    write.run = run->id;
    write.worker.rank = point.rank;
    for (const auto& [metric, value] :
         {std::pair("x", point.x), std::pair("y", point.y)}) {
      write.points.push_back({.metric = metric,
                              .value = value,
                              .step = point.step,
                              .time_ns = point.time_ns});
    }
    ASSERT_TRUE(engine_->Write(write).ok());
    run->points.push_back(point);
  }
  // Runs of some seeds of three settings and of none, one without a point.
  void Fill(uint32_t seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < 14; ++i) {
      NaiveRun run = Create(i % 4 == 3 ? "" : absl::StrCat("1e-", i % 4));
      const uint32_t workers = 1 + random() % 3;
      const int steps = i == 6 ? 0 : static_cast<int>(5 + random() % 20);
      for (int step = 0; step < steps; ++step) {
        for (uint32_t rank = 0; rank < workers; ++rank) {
          if (random() % 10 == 0) continue;
          Logged point{.rank = rank,
                       .step = step * 3 - 4,
                       .time_ns = run.start_ns + (step - 1) * kSecond +
                                  static_cast<int64_t>(random() % kSecond),
                       .x = step * 1.7 + random() % 4 - 3,
                       .y = static_cast<int>(random() % 512) * 0.25};
          if (random() % 15 == 0) point.y = random() % 2 == 0 ? kNan : kInf;
          if (random() % 15 == 0) point.x = kNan;
          Log(&run, point);
        }
      }
      runs_.push_back(std::move(run));
      if (i == 7) {
        ASSERT_TRUE(engine_->Seal().ok());
      }
    }
  }
  BandsSpec Spec(uint32_t max_points, Axis axis = Axis::kStep) {
    BandsSpec spec;
    for (const NaiveRun& run : runs_) spec.runs.push_back(run.id);
    spec.metric = "y";
    spec.axis = axis;
    spec.max_points = max_points;
    spec.group_by = {"params.lr"};
    return spec;
  }
  absl::StatusOr<std::vector<RunGroup>> Read(const BandsSpec& spec) {
    std::vector<RunGroup> groups;
    const auto summary = engine_->Bands(spec, [&](RunGroup group) {
      groups.push_back(std::move(group));
      return absl::OkStatus();
    });
    if (!summary.ok()) return summary.status();
    EXPECT_FALSE(summary->exact);
    return groups;
  }
  std::string ErrorOf(const BandsSpec& spec) {
    const auto groups = Read(spec);
    EXPECT_EQ(groups.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(groups.status().message());
  }

  // The mean over workers at each step: step -> values of `of`.
  static std::map<int64_t, double> BySteps(const NaiveRun& run,
                                           double Logged::*of) {
    std::map<int64_t, std::vector<double>> values;
    for (const Logged& p : run.points) values[p.step].push_back(p.*of);
    std::map<int64_t, double> means;
    for (const auto& [step, all] : values) means[step] = MeanOfFinite(all);
    return means;
  }
  Cells StepCells() const {
    Cells cells;
    for (size_t r = 0; r < runs_.size(); ++r) {
      for (const auto& [step, y] : BySteps(runs_[r], &Logged::y)) {
        cells[static_cast<double>(step)][r] = y;
      }
    }
    return cells;
  }
  Cells BucketCells(Axis axis, uint32_t max_points) const {
    const auto position = [&](const NaiveRun& run, const Logged& p) {
      return axis == Axis::kStep           ? p.step
             : axis == Axis::kRelativeTime ? p.time_ns - run.start_ns
                                           : p.time_ns;
    };
    double min = kInf;
    double max = -kInf;
    for (const NaiveRun& run : runs_) {
      for (const Logged& p : run.points) {
        min = std::min(min, static_cast<double>(position(run, p)));
        max = std::max(max, static_cast<double>(position(run, p)));
      }
    }
    const int k = std::max(0, NaiveShift(min, max, max_points));
    std::map<double, std::map<size_t, std::vector<double>>> values;
    for (size_t r = 0; r < runs_.size(); ++r) {
      for (const Logged& p : runs_[r].points) {
        values[static_cast<double>(position(runs_[r], p) >> k)][r].push_back(
            p.y);
      }
    }
    return Means(values);
  }
  Cells XCells(uint32_t max_points) const {
    std::vector<std::vector<std::pair<double, double>>> points;
    double min = kInf;
    double max = -kInf;
    for (const NaiveRun& run : runs_) {
      points.emplace_back();
      const std::map<int64_t, double> ys = BySteps(run, &Logged::y);
      for (const auto& [step, x] : BySteps(run, &Logged::x)) {
        if (std::isnan(x)) continue;
        points.back().emplace_back(x, ys.at(step));
        min = std::min(min, x);
        max = std::max(max, x);
      }
    }
    const int k = NaiveShift(min, max, max_points);
    std::map<double, std::map<size_t, std::vector<double>>> values;
    for (size_t r = 0; r < points.size(); ++r) {
      for (const auto& [x, y] : points[r]) {
        values[std::floor(std::ldexp(x, -k))][r].push_back(y);
      }
    }
    return Means(values);
  }
  static Cells Means(
      const std::map<double, std::map<size_t, std::vector<double>>>& values) {
    Cells cells;
    for (const auto& [cell, runs] : values) {
      for (const auto& [run, all] : runs) cells[cell][run] = MeanOfFinite(all);
    }
    return cells;
  }

  // The groups are what the cells say, group by group.
  void Expect(const std::vector<RunGroup>& groups, const Cells& cells) {
    std::map<std::string, std::map<double, std::map<size_t, double>>> expected;
    for (const auto& [cell, runs] : cells) {
      for (const auto& [run, y] : runs) expected[runs_[run].lr][cell][run] = y;
    }
    ASSERT_EQ(groups.size(), expected.size());
    for (const RunGroup& group : groups) {
      ASSERT_EQ(group.key.size(), 1u);
      const std::string lr = group.key[0].value_or("");
      SCOPED_TRACE(absl::StrCat("group ", lr));
      const auto& of_group = expected.at(lr);
      ASSERT_EQ(group.buckets.size(), of_group.size());
      auto at = of_group.begin();
      for (size_t b = 0; b < group.buckets.size(); ++b, ++at) {
        SCOPED_TRACE(absl::StrCat("bucket ", b));
        ExpectBucket(group, group.buckets[b], at->second);
      }
    }
  }
  void ExpectBucket(const RunGroup& group, const Bucket& bucket,
                    const std::map<size_t, double>& values) {
    std::vector<double> finite;
    for (const auto& [run, y] : values) {
      if (std::isfinite(y)) finite.push_back(y);
    }
    EXPECT_EQ(bucket.count, finite.size());
    EXPECT_EQ(bucket.nan_count, values.size() - finite.size());
    if (finite.empty()) return;
    const double mean = MeanOfFinite(finite);
    long double squares = 0;
    for (const double v : finite) squares += (v - mean) * (v - mean);
    EXPECT_TRUE(Near(bucket.mean, mean)) << bucket.mean << " " << mean;
    EXPECT_TRUE(Near(bucket.stddev,
                     std::sqrt(static_cast<double>(squares / finite.size()))));
    const double min = *std::min_element(finite.begin(), finite.end());
    const double max = *std::max_element(finite.begin(), finite.end());
    EXPECT_TRUE(Near(bucket.min, min));
    EXPECT_TRUE(Near(bucket.max, max));
    const auto value_of = [&](uint32_t place) {
      for (const auto& [run, y] : values) {
        if (runs_[run].id == group.runs.at(place)) return y;
      }
      return kNan;
    };
    EXPECT_TRUE(Near(value_of(bucket.min_worker), min));
    EXPECT_TRUE(Near(value_of(bucket.max_worker), max));
  }

  std::vector<NaiveRun> runs_;
};

TEST_F(EngineBands, BandsAreWhatTheRunsSayOnEveryAxis) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  Fill(seed);
  for (const bool sealed : {false, true}) {
    SCOPED_TRACE(sealed);
    const auto steps = Read(Spec(0));
    ASSERT_TRUE(steps.ok()) << steps.status();
    Expect(*steps, StepCells());
    for (const uint32_t points : {1, 2, 7, 20, 1000}) {
      SCOPED_TRACE(absl::StrCat(points, " points"));
      for (const Axis axis : {Axis::kStep, Axis::kRelativeTime, Axis::kTime}) {
        SCOPED_TRACE(static_cast<int>(axis));
        // (One bucket on both sides of 0 has no place on the grid.)
        if (points == 1 && axis != Axis::kTime) continue;
        const auto groups = Read(Spec(points, axis));
        ASSERT_TRUE(groups.ok()) << groups.status();
        Expect(*groups, BucketCells(axis, points));
      }
      if (points == 1) continue;
      BandsSpec spec = Spec(points);
      spec.x_metric = "x";
      const auto groups = Read(spec);
      ASSERT_TRUE(groups.ok()) << groups.status();
      Expect(*groups, XCells(points));
      for (const RunGroup& group : *groups) {
        EXPECT_TRUE(std::is_sorted(group.first_x.begin(), group.first_x.end()));
        ASSERT_EQ(group.last_x.size(), group.buckets.size());
      }
    }
    ASSERT_TRUE(engine_->Flush().ok());
  }
}

TEST_F(EngineBands, GroupedByRunIdEachRunStandsAlone) {
  for (int i = 0; i < 3; ++i) {
    NaiveRun run = Create("1");
    for (int64_t step = 0; step < 4; ++step) {
      Log(&run, {.step = step,
                 .time_ns = run.start_ns + step * (i + 1) * kSecond,
                 .y = static_cast<double>(step + i)});
    }
    runs_.push_back(run);
  }
  BandsSpec spec = Spec(0);
  spec.group_by = {"run_id"};
  auto groups = Read(spec);
  ASSERT_TRUE(groups.ok()) << groups.status();
  ASSERT_EQ(groups->size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_THAT((*groups)[i].runs, ElementsAre(runs_[i].id));
    EXPECT_EQ(*(*groups)[i].key[0], runs_[i].id.ToHex());
    EXPECT_EQ((*groups)[i].buckets.size(), 4u);
    EXPECT_EQ((*groups)[i].buckets[3].value, 3.0 + i);
  }
  // One group, some steps, found by a filter.
  spec.group_by = {};
  spec.runs = {};
  spec.run_filter.emplace().filter = "name != 'run1'";
  spec.step_range = Interval{1, 2};
  groups = Read(spec);
  ASSERT_TRUE(groups.ok()) << groups.status();
  ASSERT_EQ(groups->size(), 1u);
  // The search gives the later start first.
  EXPECT_THAT((*groups)[0].runs, ElementsAre(runs_[2].id, runs_[0].id));
  ASSERT_EQ((*groups)[0].buckets.size(), 2u);
  EXPECT_EQ((*groups)[0].buckets[0].first_position, 1);
  EXPECT_EQ((*groups)[0].buckets[0].mean, 2);
  EXPECT_EQ((*groups)[0].buckets[0].stddev, 1);
  EXPECT_EQ((*groups)[0].buckets[0].min_worker, 1u);
  EXPECT_EQ((*groups)[0].buckets[0].max_worker, 0u);
}

TEST_F(EngineBands, RunsThatLackTheMetricArePassedOver) {
  NaiveRun run = Create("1");
  Log(&run, {.step = 1, .time_ns = run.start_ns, .y = 1});
  runs_ = {run, Create("1")};
  const auto groups = Read(Spec(10));
  ASSERT_TRUE(groups.ok()) << groups.status();
  ASSERT_EQ(groups->size(), 1u);
  EXPECT_THAT((*groups)[0].runs, ElementsAre(run.id));
  // Steps that no run has.
  BandsSpec spec = Spec(10);
  spec.step_range = Interval{5, 9};
  EXPECT_THAT(*Read(spec), IsEmpty());
  spec.x_metric = "x";
  EXPECT_THAT(*Read(spec), IsEmpty());
}

TEST_F(EngineBands, BadInputNamesTheField) {
  NaiveRun run = Create("1");
  Log(&run, {.step = 1, .time_ns = 1, .y = 1});
  runs_ = {run};
  BandsSpec spec = Spec(0);
  spec.group_by = {"params.lr", "metrics.y"};
  EXPECT_THAT(ErrorOf(spec), HasSubstr("group_by[1]: \"metrics.y\": runs are"));
  spec.group_by = {"lr"};
  EXPECT_THAT(ErrorOf(spec), HasSubstr("group_by[0]: column 1: unknown"));
  spec.group_by.assign(17, "name");
  EXPECT_EQ(ErrorOf(spec), "group_by: 17 given, 0 to 16 are allowed");
  spec = Spec(0);
  spec.metric = "";
  EXPECT_THAT(ErrorOf(spec), HasSubstr("metric"));
  spec = Spec(1'000'001);
  EXPECT_EQ(ErrorOf(spec), "max_points 1000001: at most 1000000");
  spec = Spec(0, Axis::kRelativeTime);
  EXPECT_THAT(ErrorOf(spec), HasSubstr("max_points 0: runs share steps"));
  spec = Spec(0);
  spec.x_metric = "x";
  EXPECT_THAT(ErrorOf(spec), HasSubstr("max_points 0: runs share steps"));
  spec = Spec(5, Axis::kTime);
  spec.x_metric = "x";
  EXPECT_THAT(ErrorOf(spec), HasSubstr("x_metric: takes the place"));
  spec = Spec(5);
  spec.step_range = Interval{2, 1};
  EXPECT_THAT(ErrorOf(spec), HasSubstr("step_range: first 2 is after last 1"));
  spec = Spec(5);
  spec.runs = {};
  EXPECT_EQ(ErrorOf(spec), "run_ids: 0 given, 1 to 1000 are allowed");
  spec = Spec(5);
  spec.reduction = Reduction::kNone;
  EXPECT_THAT(ErrorOf(spec), HasSubstr("reduction 0"));

  spec = Spec(5);
  spec.metric = "none";
  EXPECT_EQ(Read(spec).status().code(), absl::StatusCode::kNotFound);
  spec = Spec(5);
  spec.runs.push_back(Uuid::Random());
  EXPECT_EQ(Read(spec).status().code(), absl::StatusCode::kNotFound);
  spec = Spec(5);
  spec.cancelled = [] { return true; };
  EXPECT_EQ(Read(spec).status().code(), absl::StatusCode::kCancelled);
}

TEST_F(EngineBands, AQueryHoldsNoMoreThanItMay) {
  options_.query_memory_bytes = 100'000;
  Reopen();
  for (int i = 0; i < 3; ++i) {
    NaiveRun run = Create("1");
    WriteOptions write;
    write.run = run.id;
    for (int64_t step = 0; step < 2000; ++step) {
      for (const char* metric : {"x", "y"}) {
        write.points.push_back({.metric = metric,
                                .value = static_cast<double>(step),
                                .step = step,
                                .time_ns = step});
      }
    }
    ASSERT_TRUE(engine_->Write(write).ok());
    runs_.push_back(run);
  }
  EXPECT_EQ(Read(Spec(0)).status().code(),
            absl::StatusCode::kResourceExhausted);
  BandsSpec spec = Spec(10);
  spec.x_metric = "x";
  const auto exhausted = Read(spec);
  EXPECT_EQ(exhausted.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(exhausted.status().message()),
              HasSubstr("--query-memory"));
  EXPECT_TRUE(Read(Spec(10)).ok());
}

}  // namespace
}  // namespace waterflow::storage
