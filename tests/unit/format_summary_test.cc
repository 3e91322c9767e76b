// What is said of many values at once, where single values are extreme.
#include <gtest/gtest.h>

#include <limits>

#include "storage/format/summary.h"

namespace waterflow::storage {
namespace {

constexpr double kMax = std::numeric_limits<double>::max();

Summary Of(double value) {
  Summary s;
  s.count = 1;
  s.min = s.max = s.mean = s.first = s.last = value;
  return s;
}

TEST(FormatSummary, MeansFurtherApartThanADoubleGoesMerge) {
  Summary s;
  s.Merge(Of(kMax));
  EXPECT_EQ(s.mean, kMax);
  EXPECT_EQ(s.m2, 0);
  s.Merge(Of(-kMax));
  EXPECT_EQ(s.mean, 0);
  EXPECT_EQ(s.m2, std::numeric_limits<double>::infinity());
  EXPECT_EQ(s.min, -kMax);
  EXPECT_EQ(s.max, kMax);
}

}  // namespace
}  // namespace waterflow::storage
