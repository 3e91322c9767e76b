// Bucketing and reducing give what the naive model gives, over random series:
// regular and irregular steps, gaps, duplicates, spikes, NaN and both Inf.
#include "tests/unit/query_math_model.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace waterflow::storage {
namespace {

constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

void ExpectClose(double got, double expected, double scale) {
  if (std::isnan(expected)) {
    EXPECT_TRUE(std::isnan(got)) << got;
  } else if (std::isinf(expected)) {
    EXPECT_EQ(got, expected);
  } else {
    EXPECT_LE(std::fabs(got - expected), 1e-13 * scale)
        << got << " for " << expected;
  }
}

void ExpectSame(double got, double expected) {
  EXPECT_TRUE(got == expected || (std::isnan(got) && std::isnan(expected)))
      << got << " for " << expected;
}

void ExpectEqual(const std::vector<Bucket>& got,
                 const std::vector<Bucket>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    SCOPED_TRACE("bucket " + std::to_string(i));
    const Bucket& g = got[i];
    const Bucket& e = expected[i];
    EXPECT_EQ(g.first_position, e.first_position);
    EXPECT_EQ(g.last_position, e.last_position);
    EXPECT_EQ(g.count, e.count);
    EXPECT_EQ(g.nan_count, e.nan_count);
    EXPECT_EQ(g.pos_inf_count, e.pos_inf_count);
    EXPECT_EQ(g.neg_inf_count, e.neg_inf_count);
    EXPECT_EQ(g.min_position, e.min_position);
    EXPECT_EQ(g.max_position, e.max_position);
    ExpectSame(g.first, e.first);
    ExpectSame(g.last, e.last);
    ExpectSame(g.min, e.min);
    ExpectSame(g.max, e.max);
    const double size = std::max(std::fabs(e.min), std::fabs(e.max));
    ExpectClose(g.mean, e.mean, size);
    ExpectClose(g.value, e.value, size * std::max<double>(1, e.count));
    ExpectClose(g.stddev, e.stddev, size);
    if (e.count > 0) {
      EXPECT_EQ(g.min_worker, e.min_worker);
      EXPECT_EQ(g.max_worker, e.max_worker);
    }
    if (testing::Test::HasFailure()) return;
  }
}

class RandomSeries {
 public:
  explicit RandomSeries(uint64_t seed) : random_(seed) {}

  uint64_t Below(uint64_t bound) { return random_() % bound; }

  double Value() {
    switch (Below(24)) {
      case 0:
        return std::numeric_limits<double>::quiet_NaN();
      case 1:
        return std::numeric_limits<double>::infinity();
      case 2:
        return -std::numeric_limits<double>::infinity();
      case 3:
        return 1e9 * Normal();  // a spike
      case 4:
        return 7.5;  // ties
      default:
        return 5 + Normal();
    }
  }

  std::vector<ModelSeries> Workers() {
    std::vector<ModelSeries> workers(1 + Below(8));
    const uint64_t shape = Below(4);
    const int64_t origin = static_cast<int64_t>(Below(1000)) - 500;
    for (size_t w = 0; w < workers.size(); ++w) {
      ModelSeries& series = workers[w];
      // Numbers in another order than the workers come in.
      series.worker = static_cast<uint32_t>(10 * (workers.size() - w));
      const size_t n = Below(120);
      for (size_t i = 0; i < n; ++i) {
        series.positions.push_back(Position(shape, origin, i));
        series.values.push_back(Value());
      }
      std::sort(series.positions.begin(), series.positions.end());
    }
    return workers;
  }

 private:
  double Normal() { return std::normal_distribution<double>()(random_); }

  int64_t Position(uint64_t shape, int64_t origin, size_t i) {
    switch (shape) {
      case 0:  // every step
        return origin + static_cast<int64_t>(i);
      case 1:  // every 100th, as an evaluation
        return origin + 100 * static_cast<int64_t>(i);
      case 2:  // gaps and duplicates
        return origin + static_cast<int64_t>(Below(90));
      default:  // anywhere
        return static_cast<int64_t>(random_());
    }
  }

  std::mt19937_64 random_;
};

TEST(QueryMathModelTest, RandomSeriesAnswerAsTheModelDoes) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  RandomSeries random(seed);
  for (int round = 0; round < 2000; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    const std::vector<ModelSeries> workers = random.Workers();
    const std::vector<SeriesView> views = Views(workers);
    const auto reduction = static_cast<Reduction>(random.Below(6));
    const auto max_points = static_cast<uint32_t>(1 + random.Below(60));
    Interval span{-600, 500 + static_cast<int64_t>(random.Below(12000))};
    if (random.Below(3) == 0) span = {kMin, kMax};
    if (random.Below(3) == 0) {
      span.first = static_cast<int64_t>(random.Below(300)) - 150;
      span.last = std::max(span.first, span.last);
    }
    ExpectEqual(ReducePerStep(views, reduction),
                ModelPerStep(workers, reduction));
    ExpectEqual(ReduceBuckets(views, span, max_points, reduction),
                ModelBuckets(workers, span, max_points, reduction));
    ExpectEqual(BucketSeries(views[0], span, max_points),
                ModelBuckets({workers[0]}, span, max_points, Reduction::kMean));
    if (HasFailure()) return;
  }
}

TEST(QueryMathModelTest, LongRegularSeriesOfManyWorkers) {
  RandomSeries random(20261123);
  std::vector<ModelSeries> workers(64);
  for (size_t w = 0; w < workers.size(); ++w) {
    workers[w].worker = static_cast<uint32_t>(w);
    for (int64_t step = 0; step < 1000; ++step) {
      workers[w].positions.push_back(step);
      workers[w].values.push_back(random.Value());
    }
  }
  const auto views = Views(workers);
  ExpectEqual(ReducePerStep(views, Reduction::kMax),
              ModelPerStep(workers, Reduction::kMax));
  ExpectEqual(ReduceBuckets(views, {0, 999}, 300, Reduction::kMean),
              ModelBuckets(workers, {0, 999}, 300, Reduction::kMean));
}

}  // namespace
}  // namespace waterflow::storage
