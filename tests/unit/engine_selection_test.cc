// Reading by patterns, filters and ranks, and listing metrics, of a real
// engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/model/limits.h"
#include "tests/unit/engine_fixture.h"

namespace waterflow::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class EngineSelection : public EngineTest {
 protected:
  Uuid Create(const std::string& name, const std::string& lr = "1") {
    CreateRunOptions options;
    options.name = name;
    options.params = {{"lr", lr}};
    options.start_ns = ++starts_;
    const auto run = engine_->CreateRun(options);
    EXPECT_TRUE(run.ok()) << run.status();
    return run->first.id;
  }
  void Log(const Uuid& run, const std::vector<std::string>& metrics,
           const Worker& worker = {}, double value = 1) {
    WriteOptions write;
    write.run = run;
    write.worker = worker;
    for (const std::string& metric : metrics) {
      write.points.push_back(
          {.metric = metric, .value = value, .step = 1, .time_ns = 1});
    }
    const auto written = engine_->Write(write);
    EXPECT_TRUE(written.ok()) << written.status();
  }
  // "RUN METRIC ROLE:RANK" of each series that comes, or the error.
  std::vector<std::string> Series(const ReadSpec& spec) {
    std::vector<std::string> series;
    const auto summary = engine_->Read(spec, [&](SeriesPart part) {
      const Worker worker = part.worker.value_or(Worker());
      series.push_back(absl::StrCat(engine_->GetRun(part.run)->name, " ",
                                    part.metric, " ", worker.role, ":",
                                    worker.rank));
      return absl::OkStatus();
    });
    if (!summary.ok()) return {summary.status().ToString()};
    return series;
  }

  int64_t starts_ = 0;
};

TEST_F(EngineSelection, MetricsByPatternAreReadOnceEach) {
  const Uuid a = Create("a");
  const Uuid b = Create("b");
  Log(a, {"grad/x", "grad/y/z", "loss"});
  Log(b, {"grad/q"});
  ReadSpec spec;
  spec.runs = {a, b};
  spec.metrics = {"loss", "grad/x"};
  spec.metric_patterns.globs = {"grad/*"};
  spec.metric_patterns.regexes = {"gra.*x"};
  EXPECT_THAT(Series(spec), ElementsAre("a loss :0", "a grad/x :0",
                                        "a grad/y/z :0", "b grad/q :0"));
  spec.metrics = {};
  spec.metric_patterns = {.globs = {"nothing*"}, .regexes = {}};
  EXPECT_THAT(Series(spec)[0],
              HasSubstr("NOT_FOUND: metric_globs, metric_regexes: "
                        "\"nothing*\" match no metric of the runs"));
}

TEST_F(EngineSelection, MorePatternMatchesThanTheLimitAreRefused) {
  const Uuid run = Create("a");
  std::vector<std::string> names;
  for (uint32_t i = 0; i <= kMaxReadMetrics; ++i) {
    names.push_back(absl::StrCat("m", i));
  }
  Log(run, names);
  ReadSpec spec;
  spec.runs = {run};
  spec.metric_patterns.globs = {"m*"};
  EXPECT_THAT(Series(spec)[0],
              HasSubstr("INVALID_ARGUMENT: metric_globs, metric_regexes: match "
                        "more than 1024 metrics"));
  spec.metric_patterns.globs = {"m1?"};
  EXPECT_EQ(Series(spec).size(), 10);
}

TEST_F(EngineSelection, RunsByFilterComeInItsOrderAndPassOverWhatTheyLack) {
  Log(Create("a", "1"), {"loss"}, {}, 3);
  Log(Create("b", "2"), {"loss"}, {}, 1);
  Log(Create("c", "1"), {"loss"}, {}, 2);
  Log(Create("d", "1"), {"other"}, {}, 2);
  ReadSpec spec;
  spec.metrics = {"loss"};
  spec.run_filter = RunFilter{.filter = "params.lr = '1'",
                              .projects = {},
                              .order_by = {"metrics.loss"},
                              .limit = 0};
  EXPECT_THAT(Series(spec), ElementsAre("c loss :0", "a loss :0"));
  spec.run_filter->limit = 1;
  EXPECT_THAT(Series(spec), ElementsAre("c loss :0"));
  spec.run_filter->filter = "params.lr = '9'";
  EXPECT_THAT(Series(spec)[0], HasSubstr("NOT_FOUND: run_filter"));
  spec.run_filter->filter = "lr = 1";
  EXPECT_THAT(Series(spec)[0],
              HasSubstr("INVALID_ARGUMENT: run_filter.filter: column 1"));
  spec.run_filter->filter = "";
  spec.run_filter->limit = 1001;
  EXPECT_THAT(Series(spec)[0],
              HasSubstr("run_filter.limit 1001: at most 1000"));
  spec.run_filter->limit = 0;
  spec.runs = {Uuid::Random()};
  EXPECT_THAT(Series(spec)[0],
              HasSubstr("run_ids: 1 given beside a run_filter"));
  spec.runs = {};
  spec.run_filter.reset();
  EXPECT_THAT(Series(spec)[0],
              HasSubstr("run_ids: 0 given, 1 to 1000 are allowed"));
}

TEST_F(EngineSelection, RanksAndRolesNarrowTheWorkers) {
  const Uuid run = Create("a");
  for (uint32_t rank = 0; rank < 4; ++rank) Log(run, {"m"}, {"", rank});
  Log(run, {"m"}, {"eval", 1});
  ReadSpec spec;
  spec.runs = {run};
  spec.metrics = {"m"};
  spec.worker_filter.ranks = {{1, 2}};
  EXPECT_THAT(Series(spec), ElementsAre("a m :1", "a m :2", "a m eval:1"));
  spec.worker_filter.roles = {"eval"};
  EXPECT_THAT(Series(spec), ElementsAre("a m eval:1"));
  ASSERT_TRUE(engine_->Seal().ok());
  EXPECT_THAT(Series(spec), ElementsAre("a m eval:1"));
  spec.worker_filter.roles = {""};
  spec.workers = {{{"", 1}, {"", 3}}};
  EXPECT_THAT(Series(spec), ElementsAre("a m :1"));
  spec.worker_filter.ranks = {{7, 9}};
  EXPECT_THAT(Series(spec)[0],
              HasSubstr("NOT_FOUND: workers, ranks, roles: the runs have no "
                        "worker like that"));
}

TEST_F(EngineSelection, DerivedSeriesAreNotExact) {
  const Uuid run = Create("a");
  Log(run, {"x"}, {}, 5);
  Log(run, {"y"}, {}, 2);
  ReadSpec spec;
  spec.runs = {run};
  spec.metric_patterns.globs = {"?"};
  spec.derivations = {Difference{"x", "y"}};
  std::vector<double> values;
  const auto summary = engine_->Read(spec, [&](SeriesPart part) {
    EXPECT_EQ(part.metric, "x - y");
    values = part.points.values;
    return absl::OkStatus();
  });
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_FALSE(summary->exact);
  EXPECT_THAT(values, ElementsAre(3));
}

TEST_F(EngineSelection, MetricsAreListedWithThoseOfWhatARunWasForkedFrom) {
  const Uuid parent = Create("a");
  Log(parent, {"old", "both"});
  CreateRunOptions options;
  options.fork_from = Fork{.run = parent, .step = 10};
  const auto fork = engine_->CreateRun(options);
  ASSERT_TRUE(fork.ok()) << fork.status();
  Log(fork->first.id, {"both", "new"});
  MetricListSpec spec;
  spec.run = fork->first.id;
  spec.page_size = 2;
  auto page = engine_->FindMetrics(spec);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->total, 3);
  ASSERT_EQ(page->metrics.size(), 2);
  EXPECT_EQ(page->metrics[0].name, "both");
  EXPECT_EQ(page->metrics[1].name, "new");
  spec.page_token = page->next_page_token;
  page = engine_->FindMetrics(spec);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->metrics.size(), 1);
  EXPECT_EQ(page->metrics[0].name, "old");
  EXPECT_EQ(page->next_page_token, "");
  spec = {};
  spec.run = Uuid::Random();
  EXPECT_EQ(engine_->FindMetrics(spec).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(EngineSelection, APageOfLongDescriptionsIsCutAndTheNextOneGoesOn) {
  const Uuid run = Create("a");
  auto stream = OpenStream(Opening(run));
  ASSERT_TRUE(stream.ok()) << stream.status();
  std::vector<Metric> metrics(4000);
  for (size_t i = 0; i < metrics.size(); ++i) {
    metrics[i].name = absl::StrCat("m", 10000 + i);
    metrics[i].description = std::string(1000, 'd');
  }
  ASSERT_TRUE(stream->session->DeclareSchema(0, metrics).ok());
  MetricListSpec spec;
  spec.run = run;
  std::vector<std::string> names;
  int pages = 0;
  do {
    const auto page = engine_->FindMetrics(spec);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const Metric& metric : page->metrics) {
      names.push_back(metric.name);
      EXPECT_EQ(metric.description.size(), 1000);
    }
    spec.page_token = page->next_page_token;
    ++pages;
  } while (!spec.page_token.empty());
  EXPECT_GT(pages, 1);
  ASSERT_EQ(names.size(), metrics.size());
  for (size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(names[i], metrics[i].name);
  }
}

}  // namespace
}  // namespace waterflow::storage
