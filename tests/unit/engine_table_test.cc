// Tables of runs: each cell is what its points say, however they lie, rows
// stand in the order that was asked for, and pages fit together.
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
#include "storage/model/limits.h"
#include "tests/unit/engine_fixture.h"

namespace waterflow::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

// What was logged of one metric, in the order in which it came.
struct Logged {
  uint32_t attempt = 1;
  uint32_t rank = 0;
  int64_t step = 0;
  double value = 0;
};

// A run by the points that were logged, and what they come to: by going over
// all of them.
class NaiveRun {
 public:
  std::string name;
  std::map<std::string, std::vector<Logged>> metrics;
  Reduction reduction = Reduction::kMean;  // of all metrics
  Goal goal = Goal::kUnspecified;

  // By rank, in the order in which they came.
  std::map<uint32_t, std::vector<Logged>> Visible(
      const std::string& metric) const {
    // By attempt: the smallest of the steps that each worker and metric began
    // with, each time that it turned to the attempt.
    std::map<uint32_t, int64_t> first_steps;
    for (const auto& [of, points] : metrics) {
      std::map<uint32_t, uint32_t> attempts;  // the one at work, by rank
      for (const Logged& p : points) {
        if (std::exchange(attempts[p.rank], p.attempt) == p.attempt) continue;
        const auto [it, is_new] = first_steps.try_emplace(p.attempt, p.step);
        if (!is_new) it->second = std::min(it->second, p.step);
      }
    }
    std::map<uint32_t, std::vector<Logged>> visible;
    const auto it = metrics.find(metric);
    if (it == metrics.end()) return visible;
    for (const Logged& p : it->second) {
      const bool hidden = std::any_of(
          first_steps.begin(), first_steps.end(), [&](const auto& attempt) {
            return attempt.first > p.attempt && attempt.second <= p.step;
          });
      if (!hidden) visible[p.rank].push_back(p);
    }
    return visible;
  }

  static double Reduce(const std::vector<double>& values, Reduction reduction) {
    std::vector<double> finite;
    for (const double v : values) {
      if (std::isfinite(v)) finite.push_back(v);
    }
    if (finite.empty()) {
      const bool agree = std::all_of(values.begin(), values.end(),
                                     [&](double v) { return v == values[0]; });
      return agree ? values[0] : kNan;
    }
    long double sum = 0;
    for (const double v : finite) sum += v;
    switch (reduction) {
      case Reduction::kSum:
        return static_cast<double>(sum);
      case Reduction::kMin:
        return *std::min_element(finite.begin(), finite.end());
      case Reduction::kMax:
        return *std::max_element(finite.begin(), finite.end());
      default:
        return static_cast<double>(sum / finite.size());
    }
  }

  std::optional<double> Value(const std::string& statistic,
                              const std::string& metric,
                              Reduction by = Reduction::kDefault) const {
    if (by == Reduction::kDefault) by = reduction;
    std::string of_worker = statistic;
    if (statistic == "best") {
      if (goal == Goal::kUnspecified) return std::nullopt;
      of_worker = goal == Goal::kMinimize ? "min" : "max";
    }
    std::vector<double> workers;
    for (const auto& [rank, points] : Visible(metric)) {
      workers.push_back(OfWorker(of_worker, points));
    }
    if (workers.empty()) return std::nullopt;
    return Reduce(workers, by);
  }

  std::optional<double> AtBest(const std::string& metric,
                               const std::string& best_of) const {
    if (goal == Goal::kUnspecified) return std::nullopt;
    std::optional<std::pair<double, int64_t>> best;
    for (const auto& [step, value] : ByStep(best_of)) {
      if (!std::isfinite(value)) continue;
      const double badness = goal == Goal::kMinimize ? value : -value;
      if (!best.has_value() || badness < best->first) best = {badness, step};
    }
    if (!best.has_value()) return std::nullopt;
    const std::map<int64_t, double> values = ByStep(metric);
    const auto it = values.find(best->second);
    if (it == values.end()) return std::nullopt;
    return std::isfinite(it->second) ? it->second : kNan;
  }

 private:
  static double OfWorker(const std::string& statistic,
                         const std::vector<Logged>& points) {
    const Logged* last = &points[0];
    std::vector<double> finite;
    for (const Logged& p : points) {
      if (p.step >= last->step) last = &p;
      if (std::isfinite(p.value)) finite.push_back(p.value);
    }
    if (statistic == "last") return last->value;
    if (finite.empty()) return kNan;
    return Reduce(finite, statistic == "min"   ? Reduction::kMin
                          : statistic == "max" ? Reduction::kMax
                                               : Reduction::kMean);
  }

  // The last of each worker at each step, reduced.
  std::map<int64_t, double> ByStep(const std::string& metric) const {
    std::map<int64_t, std::map<uint32_t, double>> values;
    for (const auto& [rank, points] : Visible(metric)) {
      for (const Logged& p : points) values[p.step][rank] = p.value;
    }
    std::map<int64_t, double> reduced;
    for (const auto& [step, of] : values) {
      std::vector<double> workers;
      for (const auto& [rank, value] : of) workers.push_back(value);
      reduced[step] = Reduce(workers, reduction);
    }
    return reduced;
  }
};

struct Table {
  std::vector<Uuid> runs;
  std::vector<TableColumn> columns;
  std::string next_page_token;
  size_t parts = 0;
};

class EngineTable : public EngineTest {
 protected:
  Uuid Create(const std::string& name, Tags params = {}) {
    CreateRunOptions options;
    options.name = name;
    options.params = std::move(params);
    options.start_ns = ++starts_ * 1'000'000'000;
    auto run = engine_->CreateRun(options);
    EXPECT_TRUE(run.ok()) << run.status();
    return run->first.id;
  }
  // Says how the metrics of a run are reduced and what is good.
  void Describe(const Uuid& run, const std::vector<std::string>& names,
                Reduction reduction, Goal goal) {
    auto stream = OpenStream(Opening(run));
    ASSERT_TRUE(stream.ok()) << stream.status();
    std::vector<Metric> metrics;
    for (const std::string& name : names) {
      metrics.push_back({.name = name,
                         .unit = "",
                         .description = "",
                         .goal = goal,
                         .reduction = reduction,
                         .role = "",
                         .step_metric = ""});
    }
    ASSERT_TRUE(stream->session->DeclareSchema(0, std::move(metrics)).ok());
  }
  void Log(const Uuid& run, const std::string& metric, const Logged& point) {
    WriteOptions write;
    write.run = run;
    write.worker.rank = point.rank;
    write.attempt = point.attempt;
    write.points.push_back({.metric = metric,
                            .value = point.value,
                            .step = point.step,
                            .time_ns = ++clock_});
    const auto written = engine_->Write(write);
    ASSERT_TRUE(written.ok()) << written.status();
  }
  absl::StatusOr<Table> Read(const RunTableSpec& spec) {
    Table table;
    table.columns.resize(spec.columns.size());
    const auto next = engine_->RunTable(spec, [&](const RunTablePart& part) {
      ++table.parts;
      const auto append = [](const auto& from, auto* to) {
        to->insert(to->end(), from.begin(), from.end());
      };
      append(part.runs, &table.runs);
      for (size_t c = 0; c < part.columns.size(); ++c) {
        append(part.columns[c].numbers, &table.columns[c].numbers);
        append(part.columns[c].times_ns, &table.columns[c].times_ns);
        append(part.columns[c].texts, &table.columns[c].texts);
        append(part.columns[c].has_value, &table.columns[c].has_value);
        EXPECT_EQ(part.columns[c].has_value.size(), part.runs.size());
      }
      return absl::OkStatus();
    });
    if (!next.ok()) return next.status();
    table.next_page_token = *next;
    return table;
  }
  Table ReadOk(const RunTableSpec& spec) {
    absl::StatusOr<Table> table = Read(spec);
    EXPECT_TRUE(table.ok()) << table.status();
    return table.ok() ? *std::move(table) : Table();
  }
  static RunTableSpec Columns(std::vector<std::string> columns) {
    RunTableSpec spec;
    spec.columns = std::move(columns);
    return spec;
  }
  std::string ErrorOf(const RunTableSpec& spec) {
    const absl::StatusOr<Table> table = Read(spec);
    EXPECT_EQ(table.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(table.status().message());
  }

  int64_t starts_ = 0;
  int64_t clock_ = 0;
};

bool Alike(std::optional<double> a, std::optional<double> b) {
  if (a.has_value() != b.has_value()) return false;
  if (!a.has_value() || *a == *b) return true;
  if (std::isnan(*a) || std::isnan(*b)) return std::isnan(*a) && std::isnan(*b);
  return std::abs(*a - *b) <= 1e-9 * std::max(std::abs(*a), std::abs(*b));
}

struct AskedColumn {
  const char* text;
  const char* statistic;
  const char* metric;
  Reduction reduction = Reduction::kDefault;
};

const AskedColumn kAsked[] = {
    {"metrics.a", "last", "a"},
    {"last(metrics.a)", "last", "a"},
    {"min(metrics.a)", "min", "a"},
    {"max(metrics.a)", "max", "a"},
    {"mean(metrics.a)", "mean", "a"},
    {"best(metrics.a)", "best", "a"},
    {"last(metrics.a, sum)", "last", "a", Reduction::kSum},
    {"min(metrics.a, min)", "min", "a", Reduction::kMin},
    {"max(metrics.a, max)", "max", "a", Reduction::kMax},
    {"mean(metrics.b, max)", "mean", "b", Reduction::kMax},
    {"best(metrics.`b`, mean)", "best", "b", Reduction::kMean},
    {"metrics.b", "last", "b"},
    {"at_best(metrics.a, metrics.b)", "at_best", "a"},
};

// Every cell of a table of these runs, and the order of its rows.
void ExpectTable(const std::map<Uuid, NaiveRun>& naive, const Table& table) {
  EXPECT_EQ(table.runs.size(), naive.size());
  for (size_t r = 0; r < table.runs.size(); ++r) {
    const NaiveRun& run = naive.at(table.runs[r]);
    for (size_t c = 0; c < std::size(kAsked); ++c) {
      const AskedColumn& asked = kAsked[c];
      std::optional<double> found;
      if (table.columns[c].has_value[r]) found = table.columns[c].numbers[r];
      const std::optional<double> expected =
          asked.statistic == std::string("at_best")
              ? run.AtBest("a", "b")
              : run.Value(asked.statistic, asked.metric, asked.reduction);
      EXPECT_TRUE(Alike(found, expected))
          << run.name << " " << asked.text << ": expected "
          << expected.value_or(-999) << ", found " << found.value_or(-999);
    }
  }
}

TEST_F(EngineTable, EachCellIsWhatThePointsSay) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  std::map<Uuid, NaiveRun> naive;
  std::vector<Uuid> ids;
  for (int i = 0; i < 25; ++i) {
    NaiveRun run;
    run.name = absl::StrCat("run", i);
    const Uuid id = Create(run.name);
    if (i % 2 == 0) {
      run.reduction = static_cast<Reduction>(1 + i / 2 % 4);
      run.goal = i % 4 == 0 ? Goal::kMinimize : Goal::kMaximize;
      Describe(id, {"a", "b"}, run.reduction, run.goal);
    }
    naive[id] = run;
    ids.push_back(id);
  }
  RunTableSpec spec;
  for (const AskedColumn& asked : kAsked) spec.columns.push_back(asked.text);
  // Runs 0 to 2 never have a point. Sealed, not sealed, sealed in pieces, and
  // read in between, so that whatever is kept of a run is out of date later.
  for (int round = 0; round < 6; ++round) {
    for (int i = 0; i < 60; ++i) {
      const Uuid& id = ids[3 + random() % (round < 3 ? 22 : 8)];
      const Logged point{
          .attempt = 1 + static_cast<uint32_t>(random() % (1 + round)),
          .rank = static_cast<uint32_t>(random() % 3),
          .step = static_cast<int64_t>(random() % 12) + round,
          .value = random() % 9 == 0   ? kNan
                   : random() % 9 == 0 ? (random() % 2 == 0 ? kInf : -kInf)
                                       : static_cast<int>(random() % 64) * .25};
      const std::string metric = random() % 2 == 0 ? "a" : "b";
      Log(id, metric, point);
      naive[id].metrics[metric].push_back(point);
    }
    ExpectTable(naive, ReadOk(spec));
    if (round % 2 == 0) {
      ASSERT_TRUE(engine_->Seal().ok());
    }
    if (round == 3) {
      ASSERT_TRUE(engine_->Flush().ok());
    }
    ExpectTable(naive, ReadOk(spec));
    if (round == 4) Reopen();
    ExpectTable(naive, ReadOk(spec));
  }
  Reopen();
  ExpectTable(naive, ReadOk(spec));
}

TEST_F(EngineTable, AnyColumnOrdersAndPagesFitTogether) {
  std::map<double, std::string> by_value;
  for (int i = 0; i < 23; ++i) {
    const std::string name = absl::StrCat("r", i);
    const Uuid run = Create(name, {{"lr", absl::StrCat(i % 3)}});
    if (i == 22) continue;  // has no value, so it stands last
    const double least = (i * 7) % 22;
    Log(run, "loss", {.step = 1, .value = least + 100});
    Log(run, "loss", {.step = 2, .value = least});
    Log(run, "loss", {.step = 3, .value = 1000});
    by_value[least] = name;
  }
  RunTableSpec spec =
      Columns({"name", "min(metrics.loss)", "params.lr", "params.none"});
  spec.order_by = {"min(metrics.loss) DESC"};
  spec.page_size = 5;
  std::vector<std::string> names;
  std::vector<double> values;
  do {
    const Table page = ReadOk(spec);
    ASSERT_LE(page.runs.size(), 5u);
    for (size_t r = 0; r < page.runs.size(); ++r) {
      names.push_back(page.columns[0].texts[r]);
      if (page.columns[1].has_value[r]) {
        values.push_back(page.columns[1].numbers[r]);
      }
      EXPECT_TRUE(page.columns[2].has_value[r]);
      EXPECT_FALSE(page.columns[3].has_value[r]);
    }
    spec.page_token = page.next_page_token;
    // Columns may change on the way.
    spec.columns.resize(4);
    spec.columns.emplace_back("status");
    // A run that comes in between moves nothing.
    Log(Create(absl::StrCat("late", starts_)), "loss",
        {.step = 1, .value = 1e6});
  } while (!spec.page_token.empty());
  ASSERT_EQ(names.size(), 23u);
  EXPECT_EQ(names.back(), "r22");
  EXPECT_TRUE(std::is_sorted(values.rbegin(), values.rend()));
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(by_value[values[i]], names[i]);
  }
}

TEST_F(EngineTable, AttributesParamsAndTagsAreColumnsToo) {
  const Uuid a = Create("a", {{"lr", "1e-4"}});
  const Uuid b = Create("b");
  UpdateRunOptions change;
  change.status = RunStatus::kFinished;
  change.end_ns = 77'000'000'000;
  change.set_tags = {{"team", ""}};
  ASSERT_TRUE(engine_->UpdateRun(b, change).ok());
  const Table table =
      ReadOk(Columns({"run_id", "name", "status", "project", "start_time",
                      "end_time", "params.lr", "tags.team", "created_time"}));
  ASSERT_THAT(table.runs, ElementsAre(b, a));
  EXPECT_THAT(table.columns[0].texts, ElementsAre(b.ToHex(), a.ToHex()));
  EXPECT_THAT(table.columns[1].texts, ElementsAre("b", "a"));
  EXPECT_THAT(table.columns[2].texts, ElementsAre("FINISHED", "RUNNING"));
  EXPECT_THAT(table.columns[3].texts, ElementsAre("default", "default"));
  EXPECT_THAT(table.columns[4].times_ns,
              ElementsAre(2'000'000'000, 1'000'000'000));
  EXPECT_THAT(table.columns[5].times_ns, ElementsAre(77'000'000'000, 0));
  EXPECT_THAT(table.columns[5].has_value, ElementsAre(true, false));
  EXPECT_THAT(table.columns[6].texts, ElementsAre("", "1e-4"));
  EXPECT_THAT(table.columns[6].has_value, ElementsAre(false, true));
  EXPECT_THAT(table.columns[7].has_value, ElementsAre(true, false));
  EXPECT_GT(table.columns[8].times_ns[0], table.columns[8].times_ns[1]);
}

TEST_F(EngineTable, ASearchTakesTheSameFields) {
  const Uuid run = Create("a");
  Log(run, "loss", {.rank = 0, .step = 1, .value = 1});
  Log(run, "loss", {.rank = 0, .step = 2, .value = 5});
  Log(run, "loss", {.rank = 1, .step = 1, .value = 3});
  SearchSpec spec;
  spec.filter =
      "min(metrics.loss) = 2 and max(metrics.loss, sum) = 8 and "
      "metrics.loss = 4 and last(metrics.loss, min) = 3";
  const auto page = engine_->SearchRuns(spec);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->runs.size(), 1u);
  EXPECT_THAT(page->runs[0].metrics,
              ::testing::Contains(
                  std::pair<std::string, double>("min(metrics.`loss`)", 2)));
}

TEST_F(EngineTable, LongTablesComeInParts) {
  for (int i = 0; i < 40; ++i) {
    const Uuid run = Create(absl::StrCat("r", i));
    UpdateRunOptions change;
    for (int t = 0; t < 16; ++t) {
      change.set_tags[absl::StrCat("t", t)] = std::string(8000, 'x');
    }
    ASSERT_TRUE(engine_->UpdateRun(run, change).ok());
  }
  RunTableSpec spec;
  for (int t = 0; t < 16; ++t) {
    spec.columns.push_back(absl::StrCat("tags.t", t));
  }
  Table table = ReadOk(spec);
  EXPECT_EQ(table.runs.size(), 40u);
  EXPECT_GE(table.parts, 4u);
  EXPECT_LE(table.parts, 6u);
  spec.columns.assign(kMaxTableColumns, "metrics.a");
  table = ReadOk(spec);
  EXPECT_EQ(table.runs.size(), 40u);
  EXPECT_EQ(table.parts, 2u);
  // A table without columns is a list of runs, one without runs has no part.
  spec.columns = {};
  EXPECT_EQ(ReadOk(spec).runs.size(), 40u);
  spec.filter = "name = 'none'";
  EXPECT_EQ(ReadOk(spec).parts, 0u);
}

TEST_F(EngineTable, BadInputSaysWhereItIsWrong) {
  EXPECT_EQ(ErrorOf(Columns({"name", "loss"})).substr(0, 45),
            "columns[1]: column 1: unknown attribute \"loss");
  EXPECT_THAT(ErrorOf(Columns({""})),
              HasSubstr("columns[0]: column 1: expected a field"));
  EXPECT_THAT(ErrorOf(Columns({"metrics.a metrics.b"})),
              HasSubstr("columns[0]: column 11: expected the end"));
  EXPECT_THAT(ErrorOf(Columns({"min(params.lr)"})),
              HasSubstr("column 5: expected a metric such as metrics.loss"));
  EXPECT_THAT(ErrorOf(Columns({"min(metrics.a, median)"})),
              HasSubstr("column 16: expected mean, sum, min or max"));
  EXPECT_THAT(ErrorOf(Columns({"at_best(metrics.a)"})),
              HasSubstr("expected \",\" and the metric that is best"));
  EXPECT_THAT(ErrorOf(Columns({"min(metrics.a"})), HasSubstr("the end"));
  EXPECT_THAT(ErrorOf(Columns({std::string(1 << 20, 'x')})),
              HasSubstr("columns[0]: has 1048576 bytes, at most 65536"));
  EXPECT_THAT(ErrorOf(Columns({"metrics.\xff"})), HasSubstr("is not UTF-8"));
  EXPECT_EQ(ErrorOf(Columns(std::vector<std::string>(1025, "name"))),
            "columns: 1025 given, 0 to 1024 are allowed");
  RunTableSpec spec = Columns({"name"});
  spec.order_by = {"at_best(metrics.a, metrics.b)"};
  EXPECT_THAT(ErrorOf(spec), HasSubstr("for columns of a table only"));
  spec = Columns({"name"});
  spec.page_size = 10001;
  EXPECT_EQ(ErrorOf(spec), "page_size 10001: at most 10000");
  spec = Columns({"name"});
  spec.page_token = "nonsense";
  EXPECT_THAT(ErrorOf(spec), HasSubstr("page_token"));
  spec = Columns({"name"});
  spec.projects = {"none"};
  EXPECT_EQ(Read(spec).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(EngineTable, WhoLeavesEndsIt) {
  for (int i = 0; i < 3; ++i) {
    Log(Create(absl::StrCat("r", i)), "m", {.step = 1, .value = 1});
  }
  RunTableSpec spec = Columns({"metrics.m"});
  spec.cancelled = [] { return true; };
  EXPECT_EQ(Read(spec).status().code(), absl::StatusCode::kCancelled);
  spec.cancelled = nullptr;
  const auto left = engine_->RunTable(
      spec, [](const RunTablePart&) { return absl::CancelledError("left"); });
  EXPECT_EQ(left.status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace waterflow::storage
