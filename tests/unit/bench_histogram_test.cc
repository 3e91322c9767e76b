// The benchmark's percentiles are right within their stated bounds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

#include "bench/histogram.h"

namespace waterflow::bench {
namespace {

TEST(HistogramTest, EmptyHasNoPercentiles) {
  Histogram histogram;
  EXPECT_EQ(histogram.count(), 0);
  EXPECT_EQ(histogram.Percentile(0.5), 0);
  EXPECT_EQ(histogram.max(), 0);
}

TEST(HistogramTest, SmallValuesAreExact) {
  Histogram histogram;
  for (uint64_t value = 1; value <= 100; ++value) histogram.Add(value);
  EXPECT_EQ(histogram.Percentile(0.5), 50);
  EXPECT_EQ(histogram.Percentile(0.99), 99);
  EXPECT_EQ(histogram.Percentile(1), 100);
}

TEST(HistogramTest, PercentilesAreWithinOnePercent) {
  Histogram histogram;
  constexpr uint64_t kCount = 100000;
  for (uint64_t i = 1; i <= kCount; ++i) histogram.Add(i * 1000);
  for (const double fraction : {0.01, 0.5, 0.9, 0.99, 0.999}) {
    const double exact = fraction * kCount * 1000;
    EXPECT_NEAR(static_cast<double>(histogram.Percentile(fraction)), exact,
                exact * 0.008)
        << "at " << fraction;
  }
}

TEST(HistogramTest, PercentileNeverPassesTheMaximum) {
  Histogram histogram;
  histogram.Add(1'000'001);
  EXPECT_EQ(histogram.Percentile(0.999), 1'000'001);
}

TEST(HistogramTest, TakesTheLargestNumber) {
  constexpr uint64_t kLargest = std::numeric_limits<uint64_t>::max();
  Histogram histogram;
  histogram.Add(kLargest);
  histogram.Add(0);
  EXPECT_EQ(histogram.Percentile(1), kLargest);
  EXPECT_EQ(histogram.Percentile(0.5), 0);
}

TEST(HistogramTest, MergeIsAsIfAddedToOne) {
  Histogram all;
  Histogram even;
  Histogram odd;
  for (uint64_t value = 0; value < 10000; ++value) {
    all.Add(value * value);
    (value % 2 == 0 ? even : odd).Add(value * value);
  }
  even.Merge(odd);
  EXPECT_EQ(even.count(), all.count());
  EXPECT_EQ(even.max(), all.max());
  for (const double fraction : {0.1, 0.5, 0.99}) {
    EXPECT_EQ(even.Percentile(fraction), all.Percentile(fraction));
  }
}

}  // namespace
}  // namespace waterflow::bench
