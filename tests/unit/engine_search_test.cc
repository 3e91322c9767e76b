// Searching runs of a real engine: what is found follows what was changed,
// pages are stable, and text from elsewhere is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/engine_fixture.h"

namespace waterflow::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

class EngineSearch : public EngineTest {
 protected:
  // Later ones start later.
  Uuid Create(const std::string& name, Tags params = {}, Tags tags = {},
              const std::string& project = "default") {
    CreateRunOptions options;
    options.project = project;
    options.name = name;
    options.params = std::move(params);
    options.tags = std::move(tags);
    options.start_ns = ++starts_ * 1'000'000'000;
    auto run = engine_->CreateRun(options);
    EXPECT_TRUE(run.ok()) << run.status();
    return run->first.id;
  }
  void Log(const Uuid& run, const std::string& metric, double value,
           int64_t step = 0, uint32_t rank = 0) {
    WriteOptions write;
    write.run = run;
    write.worker.rank = rank;
    write.points.push_back(
        {.metric = metric, .value = value, .step = step, .time_ns = 1});
    const auto written = engine_->Write(write);
    EXPECT_TRUE(written.ok()) << written.status();
  }
  absl::StatusOr<SearchPage> Search(const std::string& filter,
                                    std::vector<std::string> order_by = {},
                                    uint32_t page_size = 0,
                                    const std::string& token = "") {
    SearchSpec spec;
    spec.filter = filter;
    spec.order_by = std::move(order_by);
    spec.page_size = page_size;
    spec.page_token = token;
    return engine_->SearchRuns(spec);
  }
  // Names of all that is found.
  std::vector<std::string> Found(const std::string& filter,
                                 std::vector<std::string> order_by = {}) {
    const auto page = Search(filter, std::move(order_by));
    EXPECT_TRUE(page.ok()) << page.status();
    return page.ok() ? Names(*page) : std::vector<std::string>();
  }
  static std::vector<std::string> Names(const SearchPage& page) {
    std::vector<std::string> names;
    for (const FoundRun& run : page.runs) names.push_back(run.run.name);
    return names;
  }
  std::string ErrorOf(const SearchSpec& spec) {
    const auto page = engine_->SearchRuns(spec);
    EXPECT_EQ(page.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(page.status().message());
  }

  int64_t starts_ = 0;
};

TEST_F(EngineSearch, WithoutAFilterAllRunsComeByStartNewestFirst) {
  EXPECT_THAT(Found(""), IsEmpty());
  Create("a");
  Create("b");
  Create("c");
  EXPECT_THAT(Found(""), ElementsAre("c", "b", "a"));
}

TEST_F(EngineSearch, FindsByMetricParamTagAndAttribute) {
  const Uuid a = Create("a", {{"lr", "1e-4"}}, {{"team", "Alpha"}});
  const Uuid b = Create("b", {{"lr", "1e-4"}}, {{"team", "beta"}});
  const Uuid c = Create("c", {{"lr", "1e-3"}}, {{"team", "alpha"}});
  Log(a, "loss", 0.25);
  Log(b, "loss", 0.125);
  Log(c, "loss", 0.5);
  EXPECT_THAT(Found("metrics.loss < 0.3 and params.lr = '1e-4' and tags.team "
                    "ILIKE 'a%'"),
              ElementsAre("a"));
  EXPECT_THAT(Found("metrics.loss < 0.3", {"metrics.loss"}),
              ElementsAre("b", "a"));
  EXPECT_THAT(Found("", {"params.lr", "metrics.loss DESC"}),
              ElementsAre("c", "a", "b"));
  EXPECT_THAT(
      Found(absl::StrCat("run_id IN ('", a.ToHex(), "', '", c.ToHex(), "')")),
      ElementsAre("c", "a"));
  EXPECT_THAT(Found("name != 'b' and status = 'RUNNING' and end_time is null"),
              ElementsAre("c", "a"));
  EXPECT_THAT(Found("start_time >= 2000 and created_time > 2000"),
              ElementsAre("c", "b"));
}

TEST_F(EngineSearch, AnswersCarryTheValuesThatWereLookedAt) {
  const Uuid a = Create("a");
  Create("b");
  Log(a, "loss", 0.25);
  Log(a, "other", 1);
  const auto page =
      Search("metrics.loss < 1 or metrics.acc is null", {"metrics.loss"});
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_THAT(Names(*page), ElementsAre("a", "b"));
  EXPECT_THAT(page->runs[0].metrics, ElementsAre(Pair("loss", 0.25)));
  EXPECT_THAT(page->runs[1].metrics, IsEmpty());
}

TEST_F(EngineSearch, ChangesShowInTheNextSearch) {
  const Uuid a = Create("a", {}, {{"k", "1"}});
  Log(a, "loss", 1);
  const std::string filter =
      "metrics.loss > 0.5 and tags.k = '1' and status = 'RUNNING' and name = "
      "'a'";
  EXPECT_THAT(Found(filter), ElementsAre("a"));
  Log(a, "loss", 0.25, /*step=*/1);
  EXPECT_THAT(Found(filter), IsEmpty());
  Log(a, "loss", 2, /*step=*/2);
  EXPECT_THAT(Found(filter), ElementsAre("a"));
  // An older step is not the last.
  Log(a, "loss", 0, /*step=*/1);
  EXPECT_THAT(Found(filter), ElementsAre("a"));
  UpdateRunOptions change;
  change.set_tags = {{"k", "2"}};
  ASSERT_TRUE(engine_->UpdateRun(a, change).ok());
  EXPECT_THAT(Found(filter), IsEmpty());
  change.set_tags = {{"k", "1"}};
  ASSERT_TRUE(engine_->UpdateRun(a, change).ok());
  EXPECT_THAT(Found(filter), ElementsAre("a"));
  change.status = RunStatus::kFinished;
  ASSERT_TRUE(engine_->UpdateRun(a, change).ok());
  EXPECT_THAT(Found(filter), IsEmpty());
  EXPECT_THAT(Found("status = 'FINISHED' and end_time > 0"), ElementsAre("a"));
  change.remove_tags = {"k"};
  change.set_tags = {};
  ASSERT_TRUE(engine_->UpdateRun(a, change).ok());
  EXPECT_THAT(Found("tags.k IS NULL"), ElementsAre("a"));
  // The row of a deleted run serves the next one.
  ASSERT_TRUE(engine_->DeleteRun(a).ok());
  EXPECT_THAT(Found("tags.k IS NULL"), IsEmpty());
  Create("b");
  EXPECT_THAT(Found("metrics.loss is null"), ElementsAre("b"));
}

TEST_F(EngineSearch, AfterASealAndARestartTheSameIsFound) {
  for (int i = 0; i < 20; ++i) {
    const Uuid run = Create(absl::StrCat("r", i), {{"i", absl::StrCat(i)}});
    Log(run, "loss", (i * 7) % 20);
  }
  const std::vector<std::string> before =
      Found("metrics.loss < 10", {"metrics.loss desc"});
  ASSERT_EQ(before.size(), 10u);
  ASSERT_TRUE(engine_->Seal().ok());
  EXPECT_EQ(Found("metrics.loss < 10", {"metrics.loss desc"}), before);
  Reopen();
  EXPECT_EQ(Found("metrics.loss < 10", {"metrics.loss desc"}), before);
}

TEST_F(EngineSearch, WorkersAreReducedAsTheMetricSays) {
  const Uuid run = Create("a");
  const std::vector<std::string> names = {"mean",  "sum", "max",
                                          "mixed", "inf", "nan"};
  for (uint32_t rank = 0; rank < 4; ++rank) {
    auto stream = OpenStream(Opening(run, rank));
    ASSERT_TRUE(stream.ok()) << stream.status();
    std::vector<Metric> metrics;
    for (const std::string& name : names) metrics.emplace_back().name = name;
    metrics[1].reduction = Reduction::kSum;
    metrics[2].reduction = Reduction::kMax;
    ASSERT_TRUE(stream->session->DeclareSchema(0, metrics).ok());
    const double value = rank;
    const std::vector<int64_t> step = {0};
    const std::vector<double> columns[] = {{value}, {value},
                                           {value}, {rank == 0 ? kNan : value},
                                           {kInf},  {rank == 0 ? kInf : -kInf}};
    BatchBuilder batch(0, 0, 1);
    batch.Steps(step);
    for (uint32_t c = 0; c < 6; ++c) batch.Float64(c, columns[c]);
    ASSERT_FALSE(stream->Append(batch.Build()).has_value());
    ASSERT_TRUE(stream->observer->WaitFor(0, 1));
  }
  EXPECT_THAT(Found("metrics.mean = 1.5 and metrics.sum = 6 and metrics.max = "
                    "3 and metrics.mixed = 2 and metrics.inf > 1e308 and "
                    "metrics.nan != 0 and not metrics.nan > 0 and not "
                    "metrics.nan < 0"),
              ElementsAre("a"));
}

TEST_F(EngineSearch, MissingStandsLastAndNanBeforeIt) {
  Log(Create("one"), "m", 1);
  Log(Create("nan"), "m", kNan);
  Create("none");
  Log(Create("inf"), "m", kInf);
  Log(Create("low"), "m", -kInf);
  EXPECT_THAT(Found("", {"metrics.m"}),
              ElementsAre("low", "one", "inf", "nan", "none"));
  EXPECT_THAT(Found("", {"metrics.m desc"}),
              ElementsAre("inf", "one", "low", "nan", "none"));
}

TEST_F(EngineSearch, ANewAttemptHidesWhatItLogsAgain) {
  const Uuid run = Create("a");
  WriteOptions write;
  write.run = run;
  for (int64_t step = 0; step < 10; ++step) {
    write.points.push_back({.metric = "m",
                            .value = static_cast<double>(step),
                            .step = step,
                            .time_ns = 1});
  }
  ASSERT_TRUE(engine_->Write(write).ok());
  EXPECT_THAT(Found("metrics.m = 9"), ElementsAre("a"));
  StreamOptions options = Opening(run);
  options.attempt = 2;
  options.resume_step = 5;
  // No row comes: that the attempt began is enough.
  const auto stream = OpenStream(options);
  ASSERT_TRUE(stream.ok()) << stream.status();
  EXPECT_THAT(Found("metrics.m = 4"), ElementsAre("a"));
}

TEST_F(EngineSearch, AForkFollowsWhatItsParentLogsForIt) {
  const Uuid parent = Create("parent");
  Log(parent, "m", 1, /*step=*/1);
  CreateRunOptions options;
  options.name = "fork";
  options.fork_from = Fork{.run = parent, .step = 5};
  ASSERT_TRUE(engine_->CreateRun(options).ok());
  EXPECT_THAT(Found("metrics.m = 1"), UnorderedElementsAre("parent", "fork"));
  Log(parent, "m", 3, /*step=*/3);
  EXPECT_THAT(Found("metrics.m = 3"), UnorderedElementsAre("parent", "fork"));
  Log(parent, "m", 7, /*step=*/7);
  EXPECT_THAT(Found("metrics.m = 3"), ElementsAre("fork"));
}

TEST_F(EngineSearch, OnlyRunsOfTheProjectsThatWereNamed) {
  Create("a", {}, {}, "p");
  Create("b", {}, {}, "q");
  Create("c", {}, {}, "r");
  SearchSpec spec;
  spec.projects = {"p", "r"};
  auto page = engine_->SearchRuns(spec);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_THAT(Names(*page), ElementsAre("c", "a"));
  EXPECT_THAT(Found("project LIKE '_' and project != 'q'", {"project desc"}),
              ElementsAre("c", "a"));
  spec.projects = {"nowhere"};
  EXPECT_EQ(engine_->SearchRuns(spec).status().code(),
            absl::StatusCode::kNotFound);
}

// ---- pages ----

TEST_F(EngineSearch, PagesTogetherAreTheWholeInOrder) {
  for (int i = 0; i < 53; ++i) {
    // Many ties, some missing, and texts.
    const Uuid run = Create(absl::StrCat("r", i), {{"p", absl::StrCat(i % 3)}});
    if (i % 5 != 0) Log(run, "m", i % 4 == 0 ? kNan : i % 7);
  }
  for (const std::vector<std::string>& order : {std::vector<std::string>{},
                                                {"metrics.m"},
                                                {"metrics.m desc"},
                                                {"params.p desc, metrics.m"},
                                                {"end_time", "start_time"},
                                                {"run_id desc"}}) {
    std::vector<std::string> whole = Found("", order);
    ASSERT_EQ(whole.size(), 53u);
    std::vector<std::string> joined;
    std::string token;
    do {
      const auto page = Search("", order, 7, token);
      ASSERT_TRUE(page.ok()) << page.status();
      for (const std::string& name : Names(*page)) joined.push_back(name);
      token = page->next_page_token;
    } while (!token.empty());
    EXPECT_EQ(joined, whole);
  }
}

TEST_F(EngineSearch, RunsThatComeInBetweenDoNotMoveTheNextPage) {
  for (int i = 0; i < 10; ++i) Log(Create(absl::StrCat("r", i)), "m", i);
  const auto first = Search("", {"metrics.m"}, 4);
  ASSERT_TRUE(first.ok());
  EXPECT_THAT(Names(*first), ElementsAre("r0", "r1", "r2", "r3"));
  Log(Create("before"), "m", 0.5);
  Log(Create("behind"), "m", 4.5);
  // Also when the run that ended the page is gone.
  ASSERT_TRUE(engine_->DeleteRun(first->runs.back().run.id).ok());
  const auto second = Search("", {"metrics.m"}, 4, first->next_page_token);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_THAT(Names(*second), ElementsAre("r4", "behind", "r5", "r6"));
  // And after a restart.
  Reopen();
  const auto third = Search("", {"metrics.m"}, 4, second->next_page_token);
  ASSERT_TRUE(third.ok()) << third.status();
  EXPECT_THAT(Names(*third), ElementsAre("r7", "r8", "r9"));
  EXPECT_EQ(third->next_page_token, "");
}

TEST_F(EngineSearch, ATokenFromElsewhereIsRefused) {
  for (int i = 0; i < 3; ++i) Create(absl::StrCat("r", i), {}, {}, "p");
  SearchSpec spec;
  spec.filter = "name LIKE 'r%'";
  spec.order_by = {"name"};
  spec.page_size = 1;
  const auto page = engine_->SearchRuns(spec);
  ASSERT_TRUE(page.ok());
  const std::string token = page->next_page_token;
  ASSERT_NE(token, "");
  // Another page size is no other search.
  spec.page_token = token;
  spec.page_size = 2;
  EXPECT_TRUE(engine_->SearchRuns(spec).ok());

  SearchSpec other = spec;
  other.filter = "name LIKE 'r_'";
  EXPECT_THAT(ErrorOf(other), HasSubstr("page_token: was given out for other"));
  other = spec;
  other.order_by = {"name desc"};
  EXPECT_THAT(ErrorOf(other), HasSubstr("page_token: was given out for other"));
  other = spec;
  other.projects = {"p"};
  EXPECT_THAT(ErrorOf(other), HasSubstr("page_token: was given out for other"));
  std::vector<std::string> foreign = {"7",
                                      "!",
                                      "eyJvZmZzZXQiOiAxMDB9",
                                      token.substr(1),
                                      token + "AAAA",
                                      std::string(1 << 20, 'A')};
  for (size_t i = 0; i < token.size(); i += 5) {
    foreign.push_back(token);
    foreign.back()[i] = token[i] == 'A' ? 'B' : 'A';
  }
  for (const std::string& text : foreign) {
    spec.page_token = text;
    EXPECT_THAT(ErrorOf(spec), HasSubstr("page_token")) << text.substr(0, 80);
  }
}

TEST_F(EngineSearch, BadInputIsRefusedAndNamesItsPlace) {
  SearchSpec spec;
  spec.filter = "metrics.loss < nan";
  EXPECT_EQ(ErrorOf(spec),
            "filter: column 16: expected a number such as 0.3, found \"nan\"");
  spec.filter = std::string(1 << 20, 'a');
  EXPECT_THAT(ErrorOf(spec), HasSubstr("filter: has 1048576 bytes"));
  spec.filter = std::string(10000, '(');
  EXPECT_THAT(ErrorOf(spec), HasSubstr("nested more than 100 deep"));
  spec.filter = "";
  spec.order_by = {"metrics.a", "metrics.a"};
  EXPECT_THAT(ErrorOf(spec), HasSubstr("order_by[1]: column"));
  spec.order_by = {};
  spec.page_size = 10001;
  EXPECT_THAT(ErrorOf(spec), HasSubstr("page_size 10001: at most 10000"));
  spec.page_size = 1;
  spec.projects.assign(1001, "p");
  EXPECT_THAT(ErrorOf(spec), HasSubstr("projects: has 1001 names"));
}

TEST_F(EngineSearch, ACallThatLeftIsNotAnswered) {
  Log(Create("a"), "m", 1);
  SearchSpec spec;
  spec.cancelled = [] { return true; };
  EXPECT_EQ(engine_->SearchRuns(spec).status().code(),
            absl::StatusCode::kCancelled);
  spec.filter = "metrics.m > 0";
  EXPECT_EQ(engine_->SearchRuns(spec).status().code(),
            absl::StatusCode::kCancelled);
  EXPECT_THAT(Found("metrics.m > 0"), ElementsAre("a"));
}

// ---- memory, threads ----

TEST_F(EngineSearch, ColumnsThatNobodyAskedForLatelyAreFreed) {
  options_.memory_limit_bytes = 32 << 20;          // a share of 1 MiB
  constexpr uint64_t kMost = (1 << 20) + 100'000;  // with rows, the last search
  Reopen();
  for (int i = 0; i < 500; ++i) {
    Create(absl::StrCat("r", i), {{"p", std::string(100, 'x')}});
  }
  for (int i = 0; i < 200; ++i) {
    const std::string key = absl::StrCat("key", i);
    ASSERT_TRUE(
        Search(absl::StrCat("metrics.", key, " > 1 or params.", key, " = 'x'"))
            .ok());
  }
  EXPECT_GT(engine_->Stats().search_bytes, 100'000u);
  EXPECT_LE(engine_->Stats().search_bytes, kMost);
  // Keys that no run has leave nothing behind either.
  for (int i = 0; i < 2000; ++i) {
    ASSERT_TRUE(Search(absl::StrCat("tags.`", i, "` = 'x'")).ok());
  }
  EXPECT_LE(engine_->Stats().search_bytes, kMost);
  EXPECT_EQ(Search("params.p LIKE 'x%'", {}, 5)->runs.size(), 5u);
}

// Everything at once: what is found at the end is what is there.
TEST_F(EngineSearch, SearchesRunBesideChanges) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> searchers;
  for (int t = 0; t < 3; ++t) {
    searchers.emplace_back([&, t] {
      for (int i = 0; !stop.load(); ++i) {
        const auto page =
            Search(absl::StrCat("metrics.m >= 0 or tags.k", i % 3, " = 'v'"),
                   {t == 0 ? "metrics.m" : "params.p"}, 10);
        EXPECT_TRUE(page.ok()) << page.status();
        engine_->Stats();
      }
    });
  }
  std::mt19937 random(1);
  std::vector<Uuid> runs;
  std::set<std::string> expected;
  for (int i = 0; i < 150; ++i) {
    runs.push_back(Create(absl::StrCat("r", i), {{"p", absl::StrCat(i % 5)}}));
    Log(runs.back(), "m", i);
    UpdateRunOptions change;
    change.set_tags = {{absl::StrCat("k", i % 3), "v"}};
    ASSERT_TRUE(engine_->UpdateRun(runs[random() % runs.size()], change).ok());
    if (i % 40 == 20) {
      ASSERT_TRUE(engine_->Seal().ok());
    }
    if (i % 10 == 9) {
      const size_t victim = random() % runs.size();
      ASSERT_TRUE(engine_->DeleteRun(runs[victim]).ok());
      runs.erase(runs.begin() + static_cast<ptrdiff_t>(victim));
    }
  }
  stop = true;
  for (std::thread& thread : searchers) thread.join();
  std::vector<std::string> names;
  for (const Uuid& run : runs) names.push_back(engine_->GetRun(run)->name);
  const auto page = Search("metrics.m >= 0", {}, 1000);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_THAT(Names(*page), ::testing::UnorderedElementsAreArray(names));
}

}  // namespace
}  // namespace waterflow::storage
