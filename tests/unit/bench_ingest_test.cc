// Medians, spreads, targets and comparisons of runs of scripts/bench ingest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "bench/ingest/compare.h"
#include "bench/ingest/goals.h"
#include "bench/ingest/results.h"
#include "bench/ingest/shape.h"
#include "bench/ingest/table.h"

namespace waterflow::bench {
namespace {

using testing::HasSubstr;
using testing::Not;

// One shape on Waterflow, with this server CPU in each repetition.
Results Runs(const std::vector<double>& ns,
             const std::string& subject = kWaterflow) {
  Results results;
  Cell& cell = results.CellOf("flood64", "flood, 64 rows", subject);
  for (const double value : ns) {
    cell.runs.push_back(
        {{"server_ns_per_sample", value}, {"samples_per_s", 1e9 / value}});
  }
  return results;
}

Verdict VerdictOf(const Results& a, const Results& b,
                  const std::string& measure) {
  for (const Change& change : Compare(a, b)) {
    if (change.measure == measure) return change.verdict;
  }
  ADD_FAILURE() << measure << " was not compared";
  return Verdict::kSame;
}

TEST(SpreadTest, MedianIsTheMiddleOrTheMeanOfTwo) {
  EXPECT_EQ(SpreadOf({3, 1, 2}).median, 2);
  EXPECT_EQ(SpreadOf({4, 1, 2, 3}).median, 2.5);
  EXPECT_EQ(SpreadOf({7}).median, 7);
  EXPECT_EQ(SpreadOf({3, 1, 2}).low, 1);
  EXPECT_EQ(SpreadOf({3, 1, 2}).high, 3);
  EXPECT_EQ(SpreadOf({90, 100, 110}).relative(), 0.1);
  EXPECT_EQ(SpreadOf({0, 0}).relative(), 0);
}

TEST(ResultsTest, JsonKeepsEveryRepetition) {
  Results results = Runs({20, 21, 19});
  results.date = "today";
  results.machine = "2 x something";
  results.versions = {{kWaterflow, "1.2.3"}};
  results.skipped = {{kMlflow, "not installed"}};
  const absl::StatusOr<Results> back = FromJson(ToJson(results));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->date, "today");
  EXPECT_EQ(back->machine, "2 x something");
  ASSERT_EQ(back->versions.size(), 1);
  EXPECT_EQ(back->versions[0].version, "1.2.3");
  ASSERT_EQ(back->skipped.size(), 1);
  const Cell* cell = back->Find("flood64", kWaterflow);
  ASSERT_NE(cell, nullptr);
  EXPECT_EQ(cell->name, "flood, 64 rows");
  EXPECT_EQ(cell->Values("server_ns_per_sample"),
            (std::vector<double>{20, 21, 19}));
  EXPECT_EQ(back->Median("flood64", kWaterflow, "server_ns_per_sample"), 20);
  EXPECT_EQ(back->Median("flood64", kWaterflow, "seals"), std::nullopt);
  EXPECT_EQ(back->Median("flood64", kSinkPeer, "seals"), std::nullopt);
}

TEST(ResultsTest, ForeignJsonIsRefused) {
  for (const char* json : {"", "{", "[]", "7", "{}", "{\"benchmark\":\"x\"}",
                           "{\"benchmark\":\"ingest\"}",
                           "{\"benchmark\":\"ingest\",\"subjects\":[],"
                           "\"skipped\":[],\"cells\":[{\"measures\":7}]}"}) {
    EXPECT_FALSE(FromJson(json).ok()) << json;
  }
}

TEST(CompareTest, ApartInAllRepetitionsIsAChange) {
  const Results a = Runs({20, 21, 22});
  const Results b = Runs({17, 18, 19});
  EXPECT_EQ(VerdictOf(a, b, "server_ns_per_sample"), Verdict::kBetter);
  EXPECT_EQ(VerdictOf(b, a, "server_ns_per_sample"), Verdict::kWorse);
  // More of this one is better.
  EXPECT_EQ(VerdictOf(a, b, "samples_per_s"), Verdict::kBetter);
  EXPECT_EQ(VerdictOf(b, a, "samples_per_s"), Verdict::kWorse);
}

TEST(CompareTest, OverlappingRepetitionsAreNoise) {
  EXPECT_EQ(
      VerdictOf(Runs({20, 21, 30}), Runs({25, 28, 29}), "server_ns_per_sample"),
      Verdict::kSame);
}

TEST(CompareTest, TinyDifferencesAreNone) {
  EXPECT_EQ(VerdictOf(Runs({100, 100.1, 100.2}), Runs({100.3, 100.4, 100.5}),
                      "server_ns_per_sample"),
            Verdict::kSame);
}

TEST(CompareTest, TwoRepetitionsSayNothing) {
  EXPECT_EQ(VerdictOf(Runs({20, 21}), Runs({1, 2, 3}), "server_ns_per_sample"),
            Verdict::kFew);
}

TEST(CompareTest, WhatOnlyOneHasIsLeftOut) {
  EXPECT_TRUE(Compare(Runs({1, 2, 3}), Runs({1, 2, 3}, kPrometheus)).empty());
}

TEST(CompareTest, PrintsWhatChangedAndNothingElse) {
  const Results a = Runs({20, 21, 22});
  std::stringstream same;
  PrintChanges(a, a, Compare(a, a), same);
  EXPECT_THAT(same.str(), HasSubstr("0 of 2 figures differ"));
  EXPECT_THAT(same.str(), Not(HasSubstr("flood")));
  const Results b = Runs({40, 42, 44});
  std::stringstream worse;
  PrintChanges(a, b, Compare(a, b), worse);
  EXPECT_THAT(worse.str(), HasSubstr("2 of 2 figures differ"));
  EXPECT_THAT(worse.str(), HasSubstr("+100.0% WORSE"));
}

TEST(GoalsTest, AreHeldAgainstTheSinkAndThePeersOfTheSameRun) {
  Results results = Runs({20, 22, 24});
  results.CellOf("flood64", "", kSinkPeer).runs = {
      {{"server_ns_per_sample", 2}}};
  results.CellOf("flood64", "", kVictoriaMetrics).runs = {
      {{"server_ns_per_sample", 1320}}};
  results.CellOf("flood100", "", kVictoriaMetrics).runs = {
      {{"server_ns_per_sample", 220}}};
  std::map<std::string, Goal> goals;
  for (const Goal& goal : IngestGoals(results)) goals[goal.what] = goal;
  const Goal& over = goals["flood, 64 rows: server CPU over the sink"];
  EXPECT_EQ(over.value, 20);
  EXPECT_TRUE(over.met());
  const Goal& best = goals["64 rows: VictoriaMetrics' best shape costs"];
  EXPECT_EQ(best.value, 10);
  EXPECT_FALSE(best.met());
  EXPECT_EQ(goals["64 rows: VictoriaMetrics costs"].value, 60);
  // Nothing is said of what did not run.
  EXPECT_EQ(goals.count("10,000 idle streams: RSS"), 0);
}

TEST(TableTest, HasMedianSpreadAndWhatIsOverTheSink) {
  Results results = Runs({90, 100, 110});
  results.CellOf("flood64", "", kSinkPeer).runs = {
      {{"server_ns_per_sample", 10}, {"samples_per_s", 1}}};
  std::stringstream out;
  PrintIngest(results, out);
  EXPECT_THAT(out.str(), HasSubstr("100 ±10%"));
  EXPECT_THAT(out.str(), HasSubstr("+90.0 ns/sample, 10.00 times"));
}

TEST(ShapesTest, HaveKeysOfTheirOwnAndKnownSubjects) {
  std::vector<std::string> keys;
  for (const Shape& shape : Shapes()) {
    EXPECT_THAT(keys, Not(testing::Contains(shape.key)));
    keys.push_back(shape.key);
    EXPECT_FALSE(shape.subjects.empty()) << shape.key;
    for (const std::string& subject : shape.subjects) {
      EXPECT_THAT(Subjects(), testing::Contains(subject));
    }
  }
}

}  // namespace
}  // namespace waterflow::bench
