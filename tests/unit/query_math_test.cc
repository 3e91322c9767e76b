// What a bucket promises, case by case.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/query_math_model.h"

namespace waterflow::storage {
namespace {

using ::testing::IsEmpty;

constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

ModelSeries Steps(std::vector<double> values, uint32_t worker = 0) {
  ModelSeries series{worker, {}, std::move(values)};
  for (size_t i = 0; i < series.values.size(); ++i) {
    series.positions.push_back(static_cast<int64_t>(i));
  }
  return series;
}

Bucket OneBucket(const std::vector<double>& values,
                 Reduction reduction = Reduction::kMean) {
  const ModelSeries series = Steps(values);
  const auto buckets = ReduceBuckets({series.view()}, Interval{}, 1, reduction);
  EXPECT_EQ(buckets.size(), 1u);
  return buckets.front();
}

TEST(BucketTest, SpikeIsInEveryBucketing) {
  for (size_t spike = 0; spike < 1000; spike += 37) {
    std::vector<double> values(1000, 1.0);
    values[spike] = 1e6;
    values[(spike + 500) % 1000] = -1e6;
    const ModelSeries series = Steps(values);
    for (const uint32_t max_points : {1, 2, 3, 7, 100, 999, 1000, 5000}) {
      const auto buckets = BucketSeries(series.view(), {0, 999}, max_points);
      EXPECT_LE(buckets.size(), max_points);
      const auto top = std::max_element(
          buckets.begin(), buckets.end(),
          [](const Bucket& a, const Bucket& b) { return a.max < b.max; });
      EXPECT_EQ(top->max, 1e6);
      EXPECT_EQ(top->max_position, static_cast<int64_t>(spike));
      const auto bottom = std::min_element(
          buckets.begin(), buckets.end(),
          [](const Bucket& a, const Bucket& b) { return a.min < b.min; });
      EXPECT_EQ(bottom->min, -1e6);
    }
  }
}

TEST(BucketTest, AsManyBucketsAsPositionsGiveEveryPointBack) {
  const ModelSeries series = Steps({3, 1, 4, kNan, 5});
  const auto buckets = BucketSeries(series.view(), {0, 4}, 5);
  ASSERT_EQ(buckets.size(), 5u);
  for (int64_t i = 0; i < 5; ++i) {
    EXPECT_EQ(buckets[i].first_position, i);
    EXPECT_EQ(buckets[i].last_position, i);
    if (i != 3) {
      EXPECT_EQ(buckets[i].value, series.values[i]);
      EXPECT_EQ(buckets[i].stddev, 0);
    }
  }
}

TEST(BucketTest, BucketsHaveOneWidth) {
  const ModelSeries series = Steps(std::vector<double>(400, 1.0));
  const auto buckets = BucketSeries(series.view(), {0, 399}, 300);
  ASSERT_EQ(buckets.size(), 200u);
  for (const Bucket& bucket : buckets) EXPECT_EQ(bucket.count, 2u);
}

TEST(BucketTest, EmptyBucketsAreLeftOut) {
  const ModelSeries series{0, {0, 1, 1000000, 1000001}, {1, 2, 3, 4}};
  const auto buckets = BucketSeries(series.view(), {0, 1000001}, 1000);
  ASSERT_EQ(buckets.size(), 2u);
  EXPECT_EQ(buckets[0].last_position, 1);
  EXPECT_EQ(buckets[1].first_position, 1000000);
}

TEST(BucketTest, NonFiniteValuesAreCountedAndTakeNoPart) {
  const Bucket b = OneBucket({1, kNan, 3, kInf, -kInf, -kInf, -kNan});
  EXPECT_EQ(b.count, 2u);
  EXPECT_EQ(b.nan_count, 2u);
  EXPECT_EQ(b.pos_inf_count, 1u);
  EXPECT_EQ(b.neg_inf_count, 2u);
  EXPECT_EQ(b.mean, 2);
  EXPECT_EQ(b.stddev, 1);
  EXPECT_EQ(b.min, 1);
  EXPECT_EQ(b.max, 3);
  EXPECT_EQ(b.first, 1);
  EXPECT_TRUE(std::isnan(b.last));
}

TEST(BucketTest, ABucketWithoutFiniteValuesSaysSo) {
  for (const Reduction reduction :
       {Reduction::kMean, Reduction::kSum, Reduction::kMin, Reduction::kMax}) {
    const Bucket b = OneBucket({kInf, kNan}, reduction);
    EXPECT_EQ(b.count, 0u);
    EXPECT_EQ(b.nan_count, 1u);
    EXPECT_EQ(b.pos_inf_count, 1u);
    for (const double x : {b.value, b.mean, b.stddev, b.min, b.max}) {
      EXPECT_TRUE(std::isnan(x)) << x;
    }
    EXPECT_EQ(b.first, kInf);
  }
}

TEST(BucketTest, ValueIsWhatTheReductionSays) {
  const std::vector<double> values = {2, 4, 9};
  EXPECT_EQ(OneBucket(values, Reduction::kMean).value, 5);
  EXPECT_EQ(OneBucket(values, Reduction::kSum).value, 15);
  EXPECT_EQ(OneBucket(values, Reduction::kMin).value, 2);
  EXPECT_EQ(OneBucket(values, Reduction::kMax).value, 9);
  EXPECT_EQ(OneBucket(values, Reduction::kDefault).value, 5);
  EXPECT_EQ(OneBucket(values, Reduction::kNone).value, 5);
}

TEST(BucketTest, MeanAndStddevSurviveTheLargestAndSmallestValues) {
  const double huge = std::numeric_limits<double>::max();
  const Bucket same = OneBucket({huge, huge, huge});
  EXPECT_EQ(same.mean, huge);
  EXPECT_EQ(same.stddev, 0);
  const Bucket ends = OneBucket({huge, -huge});
  EXPECT_EQ(ends.mean, 0);
  EXPECT_EQ(ends.stddev, huge);
  EXPECT_EQ(OneBucket({huge, huge}, Reduction::kSum).value, kInf);
  const double tiny = std::numeric_limits<double>::min();
  EXPECT_EQ(OneBucket({tiny, 3 * tiny}).stddev, tiny);
}

TEST(BucketTest, StddevOfSmallNoiseOnALargeValue) {
  std::vector<double> values;
  for (int i = 0; i < 10000; ++i)
    values.push_back(1e9 + (i % 2 ? 1e-3 : -1e-3));
  EXPECT_NEAR(OneBucket(values).stddev, 1e-3, 1e-7);
  std::vector<ModelSeries> workers;
  for (const double v : values) workers.push_back(ModelSeries{0, {5}, {v}});
  const auto steps = ReducePerStep(Views(workers), Reduction::kMean);
  ASSERT_EQ(steps.size(), 1u);
  EXPECT_NEAR(steps[0].stddev, 1e-3, 1e-7);
}

TEST(BucketTest, EqualValuesHaveExactlyTheirMeanAndNoDeviation) {
  const Bucket b = OneBucket(std::vector<double>(5001, 0.1));
  EXPECT_EQ(b.mean, 0.1);
  EXPECT_EQ(b.stddev, 0);
}

TEST(BucketTest, TheWholeRangeOfInt64IsDivided) {
  const ModelSeries series{0, {kMin, -1, 0, kMax}, {1, 2, 3, 4}};
  for (const uint32_t max_points : {1u, 2u, 3u, 1000000u, UINT32_MAX}) {
    const auto buckets = BucketSeries(series.view(), {kMin, kMax}, max_points);
    EXPECT_LE(buckets.size(), max_points);
    uint64_t points = 0;
    for (const Bucket& b : buckets) points += b.count;
    EXPECT_EQ(points, 4u);
  }
  EXPECT_EQ(BucketSeries(series.view(), {kMin, kMax}, 2).size(), 2u);
}

TEST(BucketTest, BoundariesStayWhileTheRangeGrows) {
  const ModelSeries series = Steps(std::vector<double>(5000, 1));
  std::vector<Bucket> before = BucketSeries(series.view(), {0, 0}, 100);
  size_t doubled = 0;
  for (int64_t last = 1; last < 5000; ++last) {
    const auto buckets = BucketSeries(series.view(), {0, last}, 100);
    ASSERT_LE(buckets.size(), 100u);
    const bool coarser = buckets.size() < before.size();
    doubled += coarser ? 1 : 0;
    // All but the last, which grows.
    for (size_t i = 0; i + 1 < buckets.size(); ++i) {
      const size_t from = coarser ? 2 * i : i;
      ASSERT_EQ(buckets[i].first_position, before[from].first_position) << last;
      if (i + 2 < buckets.size()) {
        ASSERT_EQ(buckets[i].last_position,
                  before[from + (coarser ? 1 : 0)].last_position);
      }
    }
    before = buckets;
  }
  EXPECT_EQ(doubled, 6u);
  // Another part of the axis, the same grid.
  const auto part = BucketSeries(series.view(), {1000, 4999}, 100);
  EXPECT_EQ(part[1].first_position % 64, 0);
  EXPECT_EQ(part[1].last_position - part[1].first_position, 63);
}

TEST(BucketTest, PointsOutsideTheSpanTakeNoPart) {
  const ModelSeries series = Steps({0, 1, 2, 3, 4, 5});
  const auto buckets = BucketSeries(series.view(), {2, 3}, 1);
  ASSERT_EQ(buckets.size(), 1u);
  EXPECT_EQ(buckets[0].count, 2u);
  EXPECT_THAT(BucketSeries(series.view(), {9, 20}, 3), IsEmpty());
  EXPECT_THAT(BucketSeries(series.view(), {4, 1}, 3), IsEmpty());
  EXPECT_THAT(ReduceBuckets({series.view()}, {4, 1}, 3, Reduction::kMean),
              IsEmpty());
}

TEST(ReducePerStepTest, LastPointOfAWorkerAtAStepCounts) {
  const ModelSeries a{0, {1, 1, 2}, {10, 20, 30}};
  const ModelSeries b{1, {1, 2, 2}, {40, 50, kNan}};
  const auto steps = ReducePerStep({a.view(), b.view()}, Reduction::kMean);
  ASSERT_EQ(steps.size(), 2u);
  EXPECT_EQ(steps[0].value, 30);
  EXPECT_EQ(steps[0].count, 2u);
  EXPECT_EQ(steps[1].value, 30);
  EXPECT_EQ(steps[1].count, 1u);
  EXPECT_EQ(steps[1].nan_count, 1u);
}

TEST(ReducePerStepTest, NamesTheWorkersOfTheExtremes) {
  std::vector<ModelSeries> workers;
  for (uint32_t w = 0; w < 5; ++w) {
    workers.push_back(ModelSeries{w,
                                  {7},
                                  {w == 3   ? 90.0
                                   : w == 1 ? -4.0
                                            : 1.0}});
  }
  const auto steps = ReducePerStep(Views(workers), Reduction::kMax);
  ASSERT_EQ(steps.size(), 1u);
  EXPECT_EQ(steps[0].first_position, 7);
  EXPECT_EQ(steps[0].last_position, 7);
  EXPECT_EQ(steps[0].min_worker, 1u);
  EXPECT_EQ(steps[0].max_worker, 3u);
  EXPECT_EQ(steps[0].value, 90);
}

TEST(ReducePerStepTest, StepsOfAnyWorkerAreThere) {
  const ModelSeries a{0, {0, 100, 200}, {1, 1, 1}};
  const ModelSeries b{1, {50, 100, 150, 250}, {2, 2, 2, 2}};
  const ModelSeries none{2, {}, {}};
  std::vector<int64_t> steps;
  for (const Bucket& bucket :
       ReducePerStep({a.view(), none.view(), b.view()}, Reduction::kMean)) {
    steps.push_back(bucket.first_position);
  }
  EXPECT_THAT(steps, ::testing::ElementsAre(0, 50, 100, 150, 200, 250));
  EXPECT_THAT(ReducePerStep({}, Reduction::kMean), IsEmpty());
  EXPECT_THAT(ReducePerStep({none.view()}, Reduction::kMean), IsEmpty());
}

TEST(ReduceBucketsTest, EveryPointCountsAndEndsGoByPositionThenWorker) {
  const ModelSeries a{4, {1, 3, 3}, {10, 20, 30}};
  const ModelSeries b{9, {1, 2, 3}, {40, 50, 60}};
  const auto buckets =
      ReduceBuckets({a.view(), b.view()}, {0, 9}, 1, Reduction::kSum);
  ASSERT_EQ(buckets.size(), 1u);
  EXPECT_EQ(buckets[0].count, 6u);
  EXPECT_EQ(buckets[0].value, 210);
  EXPECT_EQ(buckets[0].first, 10);
  EXPECT_EQ(buckets[0].last, 60);
  EXPECT_EQ(buckets[0].min_worker, 4u);
  EXPECT_EQ(buckets[0].max_worker, 9u);
  EXPECT_EQ(buckets[0].max_position, 3);
}

}  // namespace
}  // namespace waterflow::storage
