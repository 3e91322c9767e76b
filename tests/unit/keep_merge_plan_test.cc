// Which generations are merged, as a function of their shapes.
#include <gmock/gmock.h>

#include <vector>

#include "storage/keep/merge_plan.h"

namespace waterflow::storage {
namespace {

using ::testing::Eq;

constexpr MergePolicy kPolicy;

// A generation with `rows` rows in each of 100 chunks.
GenerationShape Small(uint64_t rows = 5, uint32_t level = 0) {
  return {
      .level = level, .rows = rows * 100, .strips = 100, .bytes = rows * 1000};
}

using Shapes = std::vector<GenerationShape>;

TEST(MergePlan, EightNeighboursOfALevelBecomeOneOfTheNext) {
  Shapes shapes(7, Small());
  EXPECT_EQ(PlanMerge(shapes, kPolicy), std::nullopt);
  shapes.push_back(Small());
  EXPECT_THAT(PlanMerge(shapes, kPolicy), Eq(MergeChoice{0, 8, 1}));
}

TEST(MergePlan, FullChunksAreLeftAlone) {
  EXPECT_EQ(PlanMerge(Shapes(100, Small(256)), kPolicy), std::nullopt);
  EXPECT_EQ(PlanSettle(Shapes(100, Small(256)), kPolicy), std::nullopt);
}

TEST(MergePlan, OnlyNeighboursAreJoined) {
  Shapes shapes(7, Small());
  shapes.push_back(Small(300));
  shapes.insert(shapes.end(), 7, Small());
  EXPECT_EQ(PlanMerge(shapes, kPolicy), std::nullopt);
  shapes.push_back(Small());
  EXPECT_THAT(PlanMerge(shapes, kPolicy), Eq(MergeChoice{8, 16, 1}));
}

TEST(MergePlan, LowerLevelsBetweenHigherOnesGoWithThem) {
  Shapes shapes(4, Small(40, 1));
  shapes.insert(shapes.end(), 2, Small());
  shapes.insert(shapes.end(), 3, Small(40, 1));
  EXPECT_EQ(PlanMerge(shapes, kPolicy), std::nullopt);
  shapes.insert(shapes.end(), 1, Small(40, 1));
  EXPECT_THAT(PlanMerge(shapes, kPolicy), Eq(MergeChoice{0, 10, 2}));
}

TEST(MergePlan, WhatWouldBecomeTooLargeIsJoinedAsFarAsItFits) {
  GenerationShape large = Small(40, 1);
  large.bytes = kPolicy.max_bytes / 3;
  EXPECT_THAT(PlanMerge(Shapes(4, large), kPolicy), Eq(MergeChoice{0, 3, 2}));
}

TEST(MergePlan, NothingIsMergedBeyondTheLastLevel) {
  EXPECT_EQ(PlanMerge(Shapes(100, Small(1, kPolicy.max_level)), kPolicy),
            std::nullopt);
}

TEST(MergePlan, WhatCannotBeReadStaysAsItIs) {
  Shapes shapes(9, Small());
  shapes[4].fixed = true;
  EXPECT_EQ(PlanMerge(shapes, kPolicy), std::nullopt);
}

TEST(MergePlan, NothingIsMergedWhenThatIsTurnedOff) {
  MergePolicy off;
  off.fan_in = 0;
  EXPECT_EQ(PlanMerge(Shapes(100, Small()), off), std::nullopt);
  EXPECT_EQ(PlanSettle(Shapes(100, Small()), off), std::nullopt);
}

TEST(MergePlan, SettlingJoinsWhatIsLeftButNothingLargeForLittle) {
  EXPECT_THAT(PlanSettle(Shapes(3, Small()), kPolicy),
              Eq(MergeChoice{0, 3, 0}));
  Shapes shapes = {Small(100, 1), Small(1), Small(1)};
  EXPECT_THAT(PlanSettle(shapes, kPolicy), Eq(MergeChoice{1, 3, 0}));
  shapes = {Small(100, 1), Small(2)};
  EXPECT_EQ(PlanSettle(shapes, kPolicy), std::nullopt);
}

TEST(MergePlan, DeadRowsAreLeftOutAtOnce) {
  Shapes shapes = {Small(300), Small(300), Small(300)};
  shapes[1].dead_rows = 1;
  EXPECT_THAT(PlanMerge(shapes, kPolicy), Eq(MergeChoice{1, 2, 0}));
  shapes[1].fixed = true;
  EXPECT_EQ(PlanMerge(shapes, kPolicy), std::nullopt);
}

// A simulation: seals of one shape, merged as they come due. Each byte is
// rewritten ceil(log8(256 / rows a seal)) times, and few generations remain.
struct Outcome {
  double rewrites = 0;
  size_t small = 0;
};

Outcome Simulate(uint64_t rows_a_seal, int seals) {
  Shapes shapes;
  uint64_t sealed = 0;
  uint64_t merged = 0;
  for (int i = 0; i < seals; ++i) {
    shapes.push_back(Small(rows_a_seal));
    sealed += shapes.back().bytes;
    while (const auto choice = PlanMerge(shapes, kPolicy)) {
      GenerationShape joined{
          .level = choice->level, .rows = 0, .strips = 100, .bytes = 0};
      for (size_t g = choice->begin; g < choice->end; ++g) {
        joined.rows += shapes[g].rows;
        joined.bytes += shapes[g].bytes;
      }
      merged += joined.bytes;
      shapes.erase(shapes.begin() + choice->begin + 1,
                   shapes.begin() + choice->end);
      shapes[choice->begin] = joined;
    }
  }
  Outcome outcome;
  outcome.rewrites = static_cast<double>(merged) / static_cast<double>(sealed);
  for (const GenerationShape& shape : shapes) {
    outcome.small += IsFull(shape, kPolicy) ? 0 : 1;
  }
  return outcome;
}

TEST(MergePlan, WriteAmplificationIsBounded) {
  EXPECT_LE(Simulate(300, 4096).rewrites, 0);
  EXPECT_LE(Simulate(100, 4096).rewrites, 1);
  EXPECT_LE(Simulate(5, 4096).rewrites, 2);
  EXPECT_LE(Simulate(1, 4096).rewrites, 3);
  for (const uint64_t rows : {1, 5, 100, 300}) {
    EXPECT_LE(Simulate(rows, 4095).small, 7u * kPolicy.max_level) << rows;
  }
}

}  // namespace
}  // namespace waterflow::storage
