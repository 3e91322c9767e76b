// The parts of the command line that need no server: what is typed, traces, and
// how a trace becomes runs.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "client/cli/derivations.h"
#include "client/cli/format.h"
#include "client/cli/select.h"
#include "client/cli/table.h"
#include "client/cli/trace.h"
#include "client/cli/trace_metrics.h"
#include "client/cli/trace_plan.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace waterflow::cli {
namespace {

class TraceFolder : public ::testing::Test {
 protected:
  TraceFolder() {
    std::string name = std::filesystem::temp_directory_path() / "wf-XXXXXX";
    path_ = mkdtemp(name.data());
  }
  ~TraceFolder() override { std::filesystem::remove_all(path_); }

  std::string path_;
};

// Two ranks of one run: a and b share their steps and times, c has its own.
Trace SmallTrace() {
  Trace trace;
  trace.runs["r"] = {{"lr", 0.5},      {"name", "r"},    {"text", "0.5"},
                     {"on", true},     {"word", "true"}, {"sizes", {64, 32}},
                     {"none", nullptr}};
  for (const uint32_t rank : {0, 1}) {
    for (const char* metric : {"a", "b", "c"}) {
      trace.series.push_back(
          {"r", rank, metric, "loss", "f8", trace.values.size(), 3});
      for (int i = 0; i < 3; ++i) {
        trace.values.push_back(i * 0.1);
        trace.steps.push_back(i);
        trace.times.push_back(i * 10 + (*metric == 'c' ? 1 : 0));
      }
    }
  }
  return trace;
}

TEST(CommandLineText, WorkersAndRangesAreReadOrRefused) {
  EXPECT_EQ(ParseWorker("3")->rank(), 3);
  EXPECT_EQ(ParseWorker("eval:2")->role(), "eval");
  EXPECT_EQ(ParseWorker("eval:2")->rank(), 2);
  EXPECT_FALSE(ParseWorker("eval").ok());
  EXPECT_FALSE(ParseWorker("-1").ok());

  EXPECT_EQ(ParseStepRange("-5:7")->first(), -5);
  EXPECT_EQ(ParseStepRange("-5:7")->last(), 7);
  EXPECT_FALSE(ParseStepRange(":7")->has_first());
  EXPECT_FALSE(ParseStepRange("5:")->has_last());
  EXPECT_FALSE(ParseStepRange("5").ok());
  EXPECT_FALSE(ParseStepRange("a:b").ok());

  EXPECT_EQ(ParseTimeRange("1795423236.621454875:")->first(),
            1795423236621454875);
  EXPECT_EQ(ParseTimeRange("1970-01-01T00:00:01Z..")->first(), 1000000000);
  EXPECT_FALSE(ParseTimeRange("yesterday:").ok());
}

TEST(CommandLineText, NumbersAreShortOrExact) {
  EXPECT_EQ(WithCommas(0), "0");
  EXPECT_EQ(WithCommas(1002003), "1,002,003");
  EXPECT_EQ(ShortCount(2434100), "2.4 M");
  EXPECT_EQ(ExactValue(0.1), "0.1");
  EXPECT_EQ(ShortDuration(733000000000), "12m 13s");
}

TEST(CommandLineText, TablesAlignByCharacters) {
  Table table({"name", ">n"});
  table.Add({"ä", "10"});
  table.Add({"longer", "7"});
  std::ostringstream out;
  table.Print(out);
  EXPECT_EQ(out.str(), "name     n\nä       10\nlonger   7\n");
}

TEST_F(TraceFolder, ATraceIsReadAsItWasWritten) {
  const Trace trace = SmallTrace();
  ASSERT_TRUE(WriteTrace(path_, trace).ok());
  const auto read = ReadTrace(path_);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->values, trace.values);
  EXPECT_EQ(read->steps, trace.steps);
  EXPECT_EQ(read->times, trace.times);
  EXPECT_EQ(read->runs, trace.runs);
  EXPECT_EQ(read->series.size(), 6);
  EXPECT_EQ(WriteTrace(path_, trace).code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(TraceFolder, ADamagedTraceIsRefused) {
  EXPECT_EQ(ReadTrace(path_).status().code(), absl::StatusCode::kNotFound);
  Trace trace = SmallTrace();
  trace.series[0].count = 1000;
  ASSERT_TRUE(WriteTrace(path_, trace).ok());
  EXPECT_THAT(std::string(ReadTrace(path_).status().message()),
              ::testing::HasSubstr("outside of the 18 samples"));
  std::filesystem::resize_file(path_ + "/values.f64.zst", 10);
  EXPECT_FALSE(ReadTrace(path_).ok());
  std::ofstream(path_ + "/index.json") << "{}";
  EXPECT_EQ(ReadTrace(path_).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(TracePlan, SeriesWithOneAxisShareASchema) {
  const Trace trace = SmallTrace();
  const auto plans = PlanImport(trace, "p", {});
  ASSERT_TRUE(plans.ok());
  ASSERT_EQ(plans->size(), 1);
  const RunPlan& run = plans->front();
  ASSERT_EQ(run.streams.size(), 2);
  ASSERT_EQ(run.streams[1].lanes.size(), 2);
  EXPECT_EQ(run.streams[1].rank, 1);
  EXPECT_EQ(run.streams[1].lanes[0].series.size(), 2);
  EXPECT_EQ(run.rows, 12);
  EXPECT_EQ(run.samples, 18);
  EXPECT_EQ(run.start_ns, 0);
  EXPECT_EQ(run.end_ns, 21);
  EXPECT_EQ(PlanImport(trace, "p", {"x"}).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(TracePlan, WhatTheIndexSaysComesBackFromTheRun) {
  const Trace trace = SmallTrace();
  const auto plans = PlanImport(trace, "p", {});
  ASSERT_TRUE(plans.ok());
  const v1::CreateRunRequest& create = plans->front().create;
  v1::Run run;
  *run.mutable_params() = create.params();
  *run.mutable_tags() = create.tags();
  EXPECT_EQ(run.params().at("name"), "r");
  EXPECT_EQ(nlohmann::json(ParamsOf(run)), nlohmann::json(trace.runs["r"]));
  EXPECT_EQ(OrderOf(run), 0);
  const auto notes = MetricNotes(run);
  ASSERT_EQ(notes.size(), 3);
  EXPECT_EQ(notes.at("c").PlaceOf(0), 2);
  EXPECT_EQ(notes.at("c").PlaceOf(1), 5);
  EXPECT_EQ(notes.at("c").native, "f8");
}

TEST(TracePlan, SeriesInNoOrderKeepTheirPlaces) {
  Trace trace = SmallTrace();
  trace.series.push_back({"r", 9, "a", "loss", "f8", 0, 3});
  const auto plans = PlanImport(trace, "p", {});
  ASSERT_TRUE(plans.ok());
  v1::Run run;
  *run.mutable_tags() = plans->front().create.tags();
  const auto notes = MetricNotes(run);
  EXPECT_EQ(notes.at("a").PlaceOf(0), 0);
  EXPECT_EQ(notes.at("a").PlaceOf(1), 3);
  EXPECT_EQ(notes.at("a").PlaceOf(2), 6);
  trace.series[6].rank = 8;
  std::swap(trace.series[5], trace.series[6]);
  const auto swapped = PlanImport(trace, "p", {});
  *run.mutable_tags() = swapped->front().create.tags();
  EXPECT_EQ(MetricNotes(run).at("a").PlaceOf(2), 5);
  EXPECT_EQ(MetricNotes(run).at("c").PlaceOf(1), 6);
}

TEST(TracePlan, NamesSayWhatAMetricIs) {
  const auto describe = [](const char* name, const char* cls) {
    return DescribeMetric({"r", 0, name, cls, "f8", 0, 0});
  };
  EXPECT_EQ(describe("perf/step_time_s", "time").role(), "step_time");
  EXPECT_EQ(describe("perf/step_time_s", "time").unit(), "s");
  EXPECT_EQ(describe("perf/step_time_s", "time").reduction(),
            v1::REDUCTION_MAX);
  EXPECT_EQ(describe("perf/tokens_per_s", "time").reduction(),
            v1::REDUCTION_SUM);
  EXPECT_EQ(describe("train/loss", "loss").goal(), v1::GOAL_MINIMIZE);
  EXPECT_EQ(describe("val/accuracy", "loss").goal(), v1::GOAL_MAXIMIZE);
  EXPECT_EQ(describe("lr", "lr").goal(), v1::GOAL_UNSPECIFIED);
}

TEST(SelectTest, RangesOfRanksAreReadOrRefused) {
  const auto range = [](const std::string& text) {
    const auto r = ParseRankRange(text);
    return r.ok() ? r->ShortDebugString() : "bad";
  };
  EXPECT_EQ(range("0-63"), "first: 0 last: 63");
  EXPECT_EQ(range("64-"), "first: 64");
  EXPECT_EQ(range("-7"), "last: 7");
  EXPECT_EQ(range("7"), "first: 7 last: 7");
  for (const char* text :
       {"", "-", "a", "1-2-3", "1-x", "-1-2", "5000000000"}) {
    EXPECT_EQ(range(text), "bad") << text;
  }
}

TEST(DerivationsTest, AreReadOrRefused) {
  const auto derivation = [](const std::string& text) {
    const auto d = ParseDerivation(text);
    return d.ok() ? d->ShortDebugString() : "bad";
  };
  EXPECT_EQ(derivation("ema:0.5"), "ema { weight: 0.5 }");
  EXPECT_EQ(derivation("ema:half=100"), "ema { half_life: 100 }");
  EXPECT_EQ(derivation("rate"), "rate { }");
  EXPECT_EQ(derivation("rate:second"), "rate { per: RATE_UNIT_SECOND }");
  EXPECT_EQ(derivation("cumulative"), "cumulative { }");
  EXPECT_EQ(derivation("difference:a/b,c:d"),
            "difference { metric: \"a/b\" other: \"c:d\" }");
  EXPECT_EQ(derivation("ratio:a,b"), "ratio { metric: \"a\" other: \"b\" }");
  for (const char* text :
       {"", "ema", "ema:x", "rate:hour", "cumulative:1", "difference:a",
        "ratio:a,", "ratio:a,b,c", "ema;0.5"}) {
    EXPECT_EQ(derivation(text), "bad") << text;
  }
}

}  // namespace
}  // namespace waterflow::cli
