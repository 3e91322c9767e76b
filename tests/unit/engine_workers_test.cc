// Questions about the workers of a run: top and bottom, outliers, stragglers,
// who is missing; and quantiles and attempts of reads.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "tests/unit/engine_fixture.h"

namespace waterflow::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

class EngineWorkers : public EngineTest {
 protected:
  void SetUp() override {
    EngineTest::SetUp();
    run_ = MakeRun();
  }
  void TearDown() override { engine_.reset(); }

  struct Rows {
    std::vector<int64_t> steps;
    std::vector<double> values;
    int64_t step_ns = 1'000'000'000;
    int64_t attempt = 1;
    std::optional<int64_t> resume_step = std::nullopt;
  };

  void Log(uint32_t rank, const Rows& rows, Metric metric = Named("loss")) {
    StreamOptions opening = Opening(run_, rank);
    opening.attempt = static_cast<uint32_t>(rows.attempt);
    opening.resume_step = rows.resume_step;
    opening.stream.bytes[3] = static_cast<uint8_t>(rows.attempt);
    auto stream = OpenStream(opening);
    ASSERT_TRUE(stream.ok()) << stream.status();
    ASSERT_TRUE(stream->session->DeclareSchema(0, {std::move(metric)}).ok());
    std::vector<int64_t> times;
    for (const int64_t step : rows.steps) times.push_back(step * rows.step_ns);
    stream->Append(BatchBuilder(0, 0, static_cast<uint32_t>(rows.steps.size()))
                       .Steps(rows.steps)
                       .Times(times)
                       .Float64(0, rows.values)
                       .Build());
    ASSERT_TRUE(stream->observer->WaitFor(0, rows.steps.size()));
  }
  static Metric Named(const std::string& name) {
    Metric metric;
    metric.name = name;
    return metric;
  }
  // Eight workers that agree, but for rank 5 at step 2.
  void LogLosses() {
    for (uint32_t rank = 0; rank < 8; ++rank) {
      Log(rank,
          {.steps = {0, 1, 2, 3}, .values = {4, 3, rank == 5 ? 2.5 : 2, 1}});
    }
  }
  WorkerRanking Ranking(const RankWorkersSpec& spec) {
    auto ranking = engine_->RankWorkers(spec);
    EXPECT_TRUE(ranking.ok()) << ranking.status();
    return ranking.ok() ? *ranking : WorkerRanking();
  }
  static std::vector<uint32_t> Ranks(const WorkerRanking& ranking) {
    std::vector<uint32_t> ranks;
    for (const RankedWorker& w : ranking.workers) {
      ranks.push_back(w.worker.rank);
    }
    return ranks;
  }

  Uuid run_;
};

TEST_F(EngineWorkers, RanksByAnyStatistic) {
  for (uint32_t rank = 0; rank < 5; ++rank) {
    const double r = rank;
    Log(rank, {.steps = {0, 1, 2}, .values = {r, 10 * r, -r}});
  }
  ASSERT_TRUE(engine_->Flush().ok());
  RankWorkersSpec spec{.run = run_, .metric = "loss"};
  spec.limit = 2;
  EXPECT_THAT(Ranks(Ranking(spec)), ElementsAre(4, 3));
  spec.lowest_first = true;
  EXPECT_THAT(Ranks(Ranking(spec)), ElementsAre(0, 1));
  spec.by = WorkerStatistic::kLast;
  WorkerRanking ranking = Ranking(spec);
  EXPECT_THAT(Ranks(ranking), ElementsAre(4, 3));
  EXPECT_EQ(ranking.worker_count, 5u);
  EXPECT_EQ(ranking.median, -2);
  EXPECT_EQ(ranking.mad, 1);
  EXPECT_EQ(ranking.workers[0].value, -4);
  EXPECT_NEAR(ranking.workers[0].deviation, -2 / 1.4826, 1e-12);
  EXPECT_EQ(ranking.workers[0].points.max, 40);
  EXPECT_EQ(ranking.workers[0].points.max_position, 1);
  spec.by = WorkerStatistic::kSum;
  spec.step_range = Interval{.first = 0, .last = 1};
  ranking = Ranking(spec);
  EXPECT_EQ(ranking.workers[1].value, 11);
  EXPECT_EQ(ranking.workers[1].points.count, 2u);
  spec.step_range = Interval{.first = 100};
  EXPECT_THAT(Ranking(spec).workers, IsEmpty());
}

TEST_F(EngineWorkers, FindsTheRankWhoseLossDiffers) {
  LogLosses();
  RankWorkersSpec spec{.run = run_, .metric = "loss"};
  spec.by = WorkerStatistic::kDifference;
  spec.min_deviation = 3.5;
  WorkerRanking ranking = Ranking(spec);
  EXPECT_THAT(Ranks(ranking), ElementsAre(5));
  EXPECT_EQ(ranking.workers[0].value, 0.5);
  EXPECT_EQ(ranking.worker_count, 8u);
  // The same by its mean, and nothing where it agreed.
  spec.by = WorkerStatistic::kMean;
  EXPECT_THAT(Ranks(Ranking(spec)), ElementsAre(5));
  spec.step_range = Interval{.first = 3};
  EXPECT_THAT(Ranks(Ranking(spec)), IsEmpty());
}

TEST_F(EngineWorkers, AWorkerThatDivergedIsFarOff) {
  for (uint32_t rank = 0; rank < 4; ++rank) {
    const double value = rank == 2 ? kNan : 1.0;
    Log(rank, {.steps = {0, 1}, .values = {1.0, value}});
  }
  Log(7, {.steps = {0}, .values = {kNan}});
  RankWorkersSpec spec{.run = run_, .metric = "loss"};
  spec.by = WorkerStatistic::kNonFinite;
  EXPECT_THAT(Ranks(Ranking(spec)), ElementsAre(2, 7, 0, 1, 3));
  spec.by = WorkerStatistic::kDifference;
  spec.limit = 2;
  const WorkerRanking ranking = Ranking(spec);
  EXPECT_THAT(Ranks(ranking), ElementsAre(2, 7));
  EXPECT_TRUE(std::isinf(ranking.workers[0].value));
  // No finite value, no mean: last, and among the outliers.
  spec.by = WorkerStatistic::kMean;
  spec.limit = 0;
  spec.min_deviation = 1;
  EXPECT_THAT(Ranks(Ranking(spec)), ElementsAre(7));
}

TEST_F(EngineWorkers, BadQuestionsNameTheirField) {
  LogLosses();
  const auto message = [&](const RankWorkersSpec& spec) {
    return engine_->RankWorkers(spec).status().ToString();
  };
  RankWorkersSpec spec{.run = run_, .metric = "los"};
  EXPECT_THAT(message(spec), HasSubstr("NOT_FOUND: metric \"los\""));
  spec.metric = "loss";
  spec.limit = 10'001;
  EXPECT_THAT(message(spec), HasSubstr("limit 10001: at most 10000"));
  spec.limit = 0;
  spec.min_deviation = kNan;
  EXPECT_THAT(message(spec), HasSubstr("min_deviation nan"));
  spec.min_deviation = 0;
  spec.step_range = Interval{3, 2};
  EXPECT_THAT(message(spec), HasSubstr("step_range: first 3 is after last 2"));
  spec.step_range.reset();
  spec.workers = {{Worker{.role = "", .rank = 99}}};
  EXPECT_THAT(message(spec), HasSubstr("no worker"));
  spec.workers.reset();
  spec.cancelled = [] { return true; };
  EXPECT_THAT(message(spec), HasSubstr("CANCELLED"));
}

TEST_F(EngineWorkers, StragglersByTheMetricWhoseRoleIsStepTime) {
  Metric metric = Named("perf/step_time");
  metric.role = "step_time";
  metric.unit = "ms";
  for (uint32_t rank = 0; rank < 4; ++rank) {
    const double slow = rank == 3 ? 5 : 0;
    Log(rank,
        {.steps = {1, 2, 3, 4},
         .values = {100.0 + rank, 100 + slow, 100 + slow, 100 + slow}},
        metric);
  }
  const auto found = engine_->FindStragglers({.run = run_});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->metric, "perf/step_time");
  EXPECT_EQ(found->unit, "ms");
  EXPECT_EQ(found->worker_count, 4u);
  EXPECT_EQ(found->step_count, 4u);
  ASSERT_EQ(found->workers.size(), 4u);
  EXPECT_EQ(found->workers[0].worker.rank, 3u);
  EXPECT_EQ(found->workers[0].slowest_steps, 4u);
  EXPECT_EQ(found->workers[0].mean, 104.5);
  EXPECT_EQ(found->workers[0].max, 105);
  EXPECT_EQ(found->workers[1].worker.rank, 2u);
  const auto two = engine_->FindStragglers(
      {.run = run_, .step_range = Interval{.first = 2}, .limit = 1});
  ASSERT_TRUE(two.ok());
  EXPECT_EQ(two->step_count, 3u);
  EXPECT_EQ(two->workers.size(), 1u);
}

TEST_F(EngineWorkers, StragglersByTheTimeBetweenRows) {
  for (uint32_t rank = 0; rank < 3; ++rank) {
    // Rank 1 takes 3 s a step, and logs every other one only.
    const bool slow = rank == 1;
    Log(rank, {.steps = slow ? std::vector<int64_t>{2, 4, 6}
                             : std::vector<int64_t>{2, 3, 4, 5, 6},
               .values = std::vector<double>(slow ? 3 : 5, 1.0),
               .step_ns = slow ? 3'000'000'000 : 1'000'000'000});
  }
  const auto found = engine_->FindStragglers({.run = run_});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->metric, "");
  EXPECT_EQ(found->unit, "s");
  ASSERT_EQ(found->workers.size(), 3u);
  EXPECT_EQ(found->workers[0].worker.rank, 1u);
  EXPECT_EQ(found->workers[0].mean, 3);
  EXPECT_EQ(found->workers[0].slowest_steps, 2u);
  EXPECT_EQ(found->workers[1].mean, 1);
  EXPECT_EQ(found->step_count, 4u);
}

TEST_F(EngineWorkers, MissingAreThoseThatHaveNotComeSoFar) {
  Log(0, {.steps = {1, 2, 3}, .values = {1, 1, 1}});
  Log(1, {.steps = {1, 2}, .values = {1, 1}});
  ASSERT_TRUE(engine_->Flush().ok());
  Log(2, {.steps = {3, 1}, .values = {1, 1}}, Named("other"));
  auto idle = OpenStream(Opening(run_, 3));
  ASSERT_TRUE(idle.ok());
  auto missing = engine_->FindMissing({.run = run_, .step = std::nullopt});
  ASSERT_TRUE(missing.ok()) << missing.status();
  EXPECT_EQ(missing->step, 3);
  EXPECT_EQ(missing->worker_count, 4u);
  ASSERT_EQ(missing->workers.size(), 2u);
  EXPECT_EQ(missing->workers[0].worker.rank, 1u);
  EXPECT_EQ(missing->workers[0].last_step, 2);
  EXPECT_EQ(missing->workers[1].worker.rank, 3u);
  EXPECT_FALSE(missing->workers[1].last_step.has_value());
  EXPECT_GT(missing->workers[1].last_seen_ns, 0);
  missing = engine_->FindMissing({.run = run_, .step = 2});
  ASSERT_TRUE(missing.ok());
  EXPECT_EQ(missing->workers.size(), 1u);
}

// The quantiles that numpy would give (type 7).
double Quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  const double rank = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(rank);
  const double share = rank - static_cast<double>(below);
  const double above = values[std::min(below + 1, values.size() - 1)];
  return values[below] * (1 - share) + above * share;
}

TEST_F(EngineWorkers, QuantilesOverWorkersAreExact) {
  std::mt19937_64 random(5);
  std::vector<std::vector<double>> by_step(20);
  for (uint32_t rank = 0; rank < 33; ++rank) {
    Rows rows;
    for (int64_t step = 0; step < 20; ++step) {
      const double value = std::normal_distribution<double>()(random);
      rows.steps.push_back(step);
      rows.values.push_back(rank == 32 && step == 3 ? kNan : value);
      if (std::isfinite(rows.values.back())) by_step[step].push_back(value);
    }
    Log(rank, rows);
    if (rank == 20) {
      ASSERT_TRUE(engine_->Flush().ok());
    }
  }
  ReadSpec spec;
  spec.runs = {run_};
  spec.metrics = {"loss"};
  spec.reduction = Reduction::kMean;
  spec.quantiles = {0, 0.5, 0.99, 1};
  SeriesPart answer;
  const auto keep = [&answer](SeriesPart part) {
    answer = std::move(part);
    return absl::OkStatus();
  };
  ASSERT_TRUE(engine_->Read(spec, keep).ok());
  ASSERT_EQ(answer.buckets.size(), 20u);
  ASSERT_EQ(answer.quantiles.size(), 80u);
  EXPECT_TRUE(answer.quantiles_exact);
  for (size_t step = 0; step < 20; ++step) {
    for (size_t q = 0; q < 4; ++q) {
      EXPECT_NEAR(answer.quantiles[4 * step + q],
                  Quantile(by_step[step], spec.quantiles[q]), 1e-15);
    }
    EXPECT_EQ(answer.quantiles[4 * step], answer.buckets[step].min);
    EXPECT_EQ(answer.quantiles[4 * step + 3], answer.buckets[step].max);
  }
  // All in one bucket.
  spec.max_points = 1;
  ASSERT_TRUE(engine_->Read(spec, keep).ok());
  std::vector<double> all;
  for (const auto& step : by_step)
    all.insert(all.end(), step.begin(), step.end());
  EXPECT_NEAR(answer.quantiles[1], Quantile(all, 0.5), 1e-15);
}

TEST_F(EngineWorkers, QuantilesOfManyValuesAreSketchedAndSaySo) {
  std::mt19937_64 random(6);
  Rows rows;
  for (int64_t step = 0; step < 20'000; ++step) {
    rows.steps.push_back(step);
    rows.values.push_back(
        std::exp(2 * std::normal_distribution<double>()(random)) - 1);
  }
  Log(0, rows);
  ASSERT_TRUE(engine_->Flush().ok());
  ReadSpec spec;
  spec.runs = {run_};
  spec.metrics = {"loss"};
  spec.reduction = Reduction::kMean;
  spec.max_points = 1;
  spec.quantiles = {0.01, 0.25, 0.9, 0.999};
  SeriesPart answer;
  ASSERT_TRUE(engine_
                  ->Read(spec,
                         [&answer](SeriesPart part) {
                           answer = std::move(part);
                           return absl::OkStatus();
                         })
                  .ok());
  EXPECT_FALSE(answer.quantiles_exact);
  for (size_t q = 0; q < 4; ++q) {
    const double exact = Quantile(rows.values, spec.quantiles[q]);
    EXPECT_NEAR(answer.quantiles[q], exact, 0.006 * std::fabs(exact));
  }
}

TEST_F(EngineWorkers, ValuesThatAreKeptForQuantilesCountAsMemory) {
  options_.query_memory_bytes = 1 << 20;
  Reopen();
  run_ = MakeRun("wide");
  Rows rows;
  for (int64_t step = 0; step < 1000; ++step) {
    rows.steps.push_back(step);
    rows.values.push_back(1);
  }
  for (uint32_t rank = 0; rank < 200; ++rank) Log(rank, rows);
  ASSERT_TRUE(engine_->Flush().ok());
  ReadSpec spec;
  spec.runs = {run_};
  spec.metrics = {"loss"};
  spec.reduction = Reduction::kMean;
  const auto ignore = [](const SeriesPart&) { return absl::OkStatus(); };
  for (const uint32_t max_points : {0u, 1000u}) {
    spec.max_points = max_points;
    spec.quantiles.clear();
    EXPECT_TRUE(engine_->Read(spec, ignore).ok());
    spec.quantiles = {0.5};
    const absl::Status refused = engine_->Read(spec, ignore).status();
    EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
    EXPECT_THAT(std::string(refused.message()), HasSubstr("--query-memory"));
  }
}

TEST_F(EngineWorkers, BadQuantilesAndAttemptsNameTheirField) {
  LogLosses();
  const auto message = [&](const ReadSpec& spec) {
    const auto ignore = [](const SeriesPart&) { return absl::OkStatus(); };
    return engine_->Read(spec, ignore).status().ToString();
  };
  ReadSpec spec;
  spec.runs = {run_};
  spec.metrics = {"loss"};
  spec.quantiles = {0.5};
  EXPECT_THAT(message(spec), HasSubstr("quantiles: they are over workers"));
  spec.reduction = Reduction::kMean;
  spec.quantiles = {0.5, 1.5};
  EXPECT_THAT(message(spec), HasSubstr("quantiles[1]: 1.5 is not from 0 to 1"));
  spec.quantiles = {kNan};
  EXPECT_THAT(message(spec), HasSubstr("quantiles[0]: nan"));
  spec.quantiles.assign(17, 0.5);
  EXPECT_THAT(message(spec), HasSubstr("quantiles: 17 given, at most 16"));
  spec.quantiles.clear();
  spec.attempt = 1;
  spec.all_attempts = true;
  EXPECT_THAT(message(spec), HasSubstr("attempt: give one, or all_attempts"));
}

TEST_F(EngineWorkers, AttemptsCanBeReadByThemselvesOrTogether) {
  Log(0, {.steps = {0, 1, 2, 3}, .values = {10, 11, 12, 13}});
  ASSERT_TRUE(engine_->Flush().ok());
  Log(0, {.steps = {2, 3}, .values = {22, 23}, .attempt = 2, .resume_step = 2});
  const auto values = [&](const ReadSpec& spec) {
    std::vector<double> all;
    const auto read = engine_->Read(spec, [&](SeriesPart part) {
      all.insert(all.end(), part.points.values.begin(),
                 part.points.values.end());
      return absl::OkStatus();
    });
    EXPECT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->attempts.size(), 2u);
    EXPECT_EQ(read->attempts.back().attempt, 2u);
    EXPECT_EQ(read->attempts.back().step, 2);
    return all;
  };
  ReadSpec spec;
  spec.runs = {run_};
  spec.metrics = {"loss"};
  EXPECT_THAT(values(spec), ElementsAre(10, 11, 22, 23));
  spec.attempt = 1;
  EXPECT_THAT(values(spec), ElementsAre(10, 11, 12, 13));
  spec.attempt = 2;
  EXPECT_THAT(values(spec), ElementsAre(22, 23));
  spec.attempt = 3;
  EXPECT_THAT(values(spec), IsEmpty());
  spec.attempt.reset();
  spec.all_attempts = true;
  EXPECT_THAT(values(spec), ElementsAre(10, 11, 12, 22, 13, 23));
}

}  // namespace
}  // namespace waterflow::storage
