// Subscriptions to a real engine: each point once, however heads are sealed,
// generations merged and the store opened again meanwhile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/model/limits.h"
#include "tests/unit/engine_fixture.h"

namespace waterflow::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class EngineTailTest : public EngineTest {
 protected:
  // (metric, role, rank) -> values in the order in which they came.
  using Values = std::map<std::tuple<std::string, std::string, uint32_t>,
                          std::vector<double>>;

  static TailSpec Following(const Uuid& run, const std::string& glob) {
    TailSpec spec;
    spec.selection.runs = {run};
    spec.selection.metric_patterns.globs = {glob};
    return spec;
  }
  std::unique_ptr<Tail> Open(const TailSpec& spec) {
    auto tail = engine_->OpenTail(spec);
    EXPECT_TRUE(tail.ok()) << tail.status();
    return tail.ok() ? *std::move(tail) : nullptr;
  }
  // All that is there now; the token of the last batch.
  std::string Drain(Tail* tail, Values* values) {
    std::string token;
    while (true) {
      const auto batch = tail->Next();
      EXPECT_TRUE(batch.ok()) << batch.status();
      if (!batch.ok() || !batch->has_value()) return token;
      for (const TailPart& part : (*batch)->parts) {
        Add(part, values);
      }
      token = (*batch)->resume_token;
      if ((*batch)->position.has_value()) return token;
    }
  }
  static void Add(const TailPart& part, Values* values) {
    const SeriesPart& s = part.series;
    auto& of = (*values)[{s.metric, s.worker->role, s.worker->rank}];
    of.insert(of.end(), s.points.values.begin(), s.points.values.end());
    EXPECT_EQ(s.points.steps.size(), s.points.values.size());
    EXPECT_EQ(s.points.times_ns.size(), s.points.values.size());
  }
  void Log(const Uuid& run, const std::string& metric, double value,
           int64_t step, uint32_t rank = 0, uint32_t attempt = 1) {
    WriteOptions write;
    write.run = run;
    write.worker.rank = rank;
    write.attempt = attempt;
    write.points.push_back(
        {.metric = metric, .value = value, .step = step, .time_ns = 1});
    const auto written = engine_->Write(write);
    EXPECT_TRUE(written.ok()) << written.status();
  }
};

TEST_F(EngineTailTest, BeginsWithTheNewestRowsThenGivesWhatComes) {
  const Uuid run = MakeRun();
  for (int i = 0; i < 5; ++i) Log(run, "m", i, i);
  TailSpec spec = Following(run, "*");
  spec.last_rows = 2;
  const auto tail = Open(spec);
  ASSERT_NE(tail, nullptr);
  Values values;
  EXPECT_NE(Drain(tail.get(), &values), "");
  EXPECT_THAT((values[{"m", "", 0}]), ElementsAre(3, 4));
  const auto nothing = tail->Next();
  ASSERT_TRUE(nothing.ok());
  EXPECT_FALSE(nothing->has_value());
  Log(run, "m", 5, 5);
  Log(run, "new", 7, 5);   // a metric that was not there
  Log(run, "m", 8, 5, 3);  // a worker that was not there
  Drain(tail.get(), &values);
  EXPECT_THAT((values[{"m", "", 0}]), ElementsAre(3, 4, 5));
  EXPECT_THAT((values[{"new", "", 0}]), ElementsAre(7));
  EXPECT_THAT((values[{"m", "", 3}]), ElementsAre(8));
}

TEST_F(EngineTailTest, TheFirstBatchComesWhenNothingIsThere) {
  const Uuid run = MakeRun();
  const auto tail = Open(Following(run, "*"));
  ASSERT_NE(tail, nullptr);
  const auto batch = tail->Next();
  ASSERT_TRUE(batch.ok() && batch->has_value());
  EXPECT_TRUE((*batch)->parts.empty());
  EXPECT_NE((*batch)->resume_token, "");
  EXPECT_TRUE((*batch)->position.has_value());
}

TEST_F(EngineTailTest, OnlyTheSelectionIsFollowed) {
  const Uuid run = MakeRun();
  TailSpec spec = Following(run, "a*");
  spec.selection.worker_filter.ranks = {{1, 2}};
  const auto tail = Open(spec);
  ASSERT_NE(tail, nullptr);
  for (uint32_t rank = 0; rank < 4; ++rank) {
    Log(run, "a", rank, 1, rank);
    Log(run, "b", rank, 1, rank);
  }
  Values values;
  Drain(tail.get(), &values);
  EXPECT_EQ(values.size(), 2);
  EXPECT_THAT((values[{"a", "", 1}]), ElementsAre(1));
  EXPECT_THAT((values[{"a", "", 2}]), ElementsAre(2));
}

TEST_F(EngineTailTest, RunsOfAFilterAreChosenWhenItBeginsAndKeptByItsToken) {
  const Uuid a = MakeRun("a1");
  const Uuid b = MakeRun("a2");
  TailSpec spec;
  spec.selection.run_filter = RunFilter{
      .filter = "name LIKE 'a%'", .projects = {}, .order_by = {}, .limit = 0};
  spec.selection.metrics = {"m"};
  auto tail = Open(spec);
  ASSERT_NE(tail, nullptr);
  const Uuid later = MakeRun("a3");
  for (const Uuid& run : {a, b, later}) Log(run, "m", 1, 1);
  Values values;
  spec.resume_token = Drain(tail.get(), &values);
  EXPECT_THAT((values[{"m", "", 0}]), ElementsAre(1, 1));
  tail = Open(spec);
  ASSERT_NE(tail, nullptr);
  for (const Uuid& run : {a, b, later}) Log(run, "m", 2, 2);
  Drain(tail.get(), &values);
  EXPECT_THAT((values[{"m", "", 0}]), ElementsAre(1, 1, 2, 2));
}

TEST_F(EngineTailTest, ALaterAttemptIsNamedAndHidesWhatItReplaces) {
  const Uuid run = MakeRun();
  for (int step = 0; step < 4; ++step) Log(run, "m", step, step);
  for (int step = 2; step < 4; ++step) Log(run, "m", 10 + step, step, 0, 2);
  TailSpec spec = Following(run, "m");
  spec.last_rows = 100;
  const auto tail = Open(spec);
  ASSERT_NE(tail, nullptr);
  const auto batch = tail->Next();
  ASSERT_TRUE(batch.ok() && batch->has_value());
  ASSERT_EQ((*batch)->parts.size(), 2);
  EXPECT_EQ((*batch)->parts[0].attempt, 1);
  EXPECT_THAT((*batch)->parts[0].series.points.values, ElementsAre(0, 1));
  EXPECT_EQ((*batch)->parts[1].attempt, 2);
  EXPECT_THAT((*batch)->parts[1].series.points.values, ElementsAre(12, 13));
}

TEST_F(EngineTailTest, ADeletedRunEndsItAndSaysSo) {
  const Uuid run = MakeRun();
  Log(run, "m", 1, 1);
  const auto tail = Open(Following(run, "m"));
  ASSERT_NE(tail, nullptr);
  Values values;
  const std::string token = Drain(tail.get(), &values);
  ASSERT_TRUE(engine_->DeleteRun(run).ok());
  const auto batch = tail->Next();
  EXPECT_EQ(batch.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(batch.status().message(),
            absl::StrCat("run ", run.ToHex(), " was deleted"));
  TailSpec again = Following(run, "m");
  again.resume_token = token;
  EXPECT_EQ(engine_->OpenTail(again).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(EngineTailTest, BadQuestionsAreRefused) {
  const Uuid run = MakeRun();
  const auto error = [&](const TailSpec& spec) {
    return engine_->OpenTail(spec).status().ToString();
  };
  TailSpec spec;
  EXPECT_THAT(error(spec), HasSubstr("run_ids: 0 given"));
  spec.selection.runs = {run};
  EXPECT_THAT(error(spec), HasSubstr("metrics: 0 given"));
  spec.selection.metrics = {"m"};
  spec.last_rows = 1000001;
  EXPECT_THAT(error(spec), HasSubstr("last_rows 1000001: at most 1000000"));
  spec.last_rows = 0;
  spec.resume_token = "x";
  EXPECT_THAT(error(spec), HasSubstr("INVALID_ARGUMENT: resume_token"));
  spec.resume_token = "";
  spec.selection.metric_patterns.regexes = {"("};
  EXPECT_THAT(error(spec), HasSubstr("metric_regexes[0]"));
  spec.selection.metric_patterns.regexes = {};
  spec.selection.runs = {Uuid::Random()};
  EXPECT_THAT(error(spec), HasSubstr("NOT_FOUND"));
}

TEST_F(EngineTailTest, ATokenThatIsAheadOfTheServerIsRefused) {
  const Uuid run = MakeRun();
  Log(run, "m", 1, 1);
  const TailSpec spec = Following(run, "m");
  auto tail = Open(spec);
  ASSERT_NE(tail, nullptr);
  Values values;
  Log(run, "m", 2, 2);
  TailSpec ahead = spec;
  ahead.resume_token = Drain(tail.get(), &values);
  TailSpec other = Following(MakeRun(), "m");
  other.resume_token = ahead.resume_token;
  EXPECT_THAT(engine_->OpenTail(other).status().message(),
              HasSubstr("given out for other runs"));
  // Of a server with fewer rows, as a restored backup is: the run by the same
  // id.
  tail.reset();
  engine_.reset();
  std::filesystem::remove_all(Options().data_dir);
  Reopen();
  CreateRunOptions again;
  again.id = run;
  ASSERT_TRUE(engine_->CreateRun(again).ok());
  Log(run, "m", 1, 1);
  EXPECT_EQ(engine_->OpenTail(ahead).status().ToString(),
            absl::StrCat("FAILED_PRECONDITION: resume_token: is ahead of this "
                         "server: of worker 0 and schema 0 of run ",
                         run.ToHex(), " it has 2 rows, the server 1"));
}

// Rows come in batches of random sizes on several workers and two schemas,
// while heads are sealed all the time, generations are merged and the store is
// opened again: the tail gives each point once, in order.
TEST_F(EngineTailTest, EachPointComesOnceThroughSealsMergesAndRestarts) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  options_.seal_bytes = 4096;
  options_.merge_fan_in = 2;
  Reopen();
  const Uuid run = MakeRun();
  constexpr uint32_t kWorkers = 3;
  constexpr uint64_t kRows = 1500;
  const TailSpec spec = Following(run, "m*");
  std::unique_ptr<Tail> tail = Open(spec);
  ASSERT_NE(tail, nullptr);
  Values values;
  std::string token;
  uint64_t next[kWorkers][2] = {};
  bool all = false;
  while (!all) {
    std::vector<TestStream> streams;
    for (uint32_t rank = 0; rank < kWorkers; ++rank) {
      auto stream = OpenStream(Opening(run, rank));
      ASSERT_TRUE(stream.ok()) << stream.status();
      ASSERT_TRUE(stream->Declare(0, {"m0"}).ok());
      ASSERT_TRUE(stream->Declare(1, {"m1"}).ok());
      streams.push_back(*std::move(stream));
    }
    for (int i = 0; i < 60; ++i) {
      const uint32_t rank = random() % kWorkers;
      const uint32_t schema = random() % 2;
      uint64_t& row = next[rank][schema];
      const auto rows = static_cast<uint32_t>(
          std::min<uint64_t>(1 + random() % 100, kRows - row));
      if (rows == 0) continue;
      ASSERT_FALSE(streams[rank].Append(Rows(schema, row, rows)).has_value());
      row += rows;
      ASSERT_TRUE(streams[rank].observer->WaitFor(schema, row));
      if (random() % 3 == 0) {
        const std::string drained = Drain(tail.get(), &values);
        if (!drained.empty()) token = drained;
      }
      if (random() % 10 == 0) {
        ASSERT_TRUE(engine_->Seal().ok());
      }
      if (random() % 20 == 0) {
        ASSERT_TRUE(engine_->Flush().ok());
      }
      if (random() % 10 == 0 && !token.empty()) {
        TailSpec again = spec;
        again.resume_token = token;
        tail = Open(again);
        ASSERT_NE(tail, nullptr);
      }
    }
    all = true;
    for (const auto& of_rank : next) {
      for (const uint64_t row : of_rank) all = all && row == kRows;
    }
    if (token.empty()) token = Drain(tail.get(), &values);
    // Away with it before the engine; what was not drained is there after.
    tail.reset();
    streams.clear();
    Reopen();
    TailSpec again = spec;
    again.resume_token = token;
    tail = Open(again);
    ASSERT_NE(tail, nullptr);
  }
  Drain(tail.get(), &values);
  ASSERT_EQ(values.size(), 2 * kWorkers);
  for (const auto& [series, got] : values) {
    ASSERT_EQ(got.size(), kRows) << std::get<0>(series);
    for (uint64_t row = 0; row < kRows; ++row) {
      ASSERT_EQ(got[row], static_cast<double>(row) * 0.5) << row;
    }
  }
}

TEST_F(EngineTailTest, EachPointComesOnceBesideWritersThatAreSealedAllTheTime) {
  options_.seal_bytes = 8 << 10;
  options_.merge_fan_in = 2;
  Reopen();
  const Uuid run = MakeRun();
  const auto tail = Open(Following(run, "m"));
  ASSERT_NE(tail, nullptr);
  constexpr uint32_t kWorkers = 3;
  constexpr uint64_t kRows = 20000;
  std::vector<std::thread> writers;
  std::atomic<bool> failed{false};
  for (uint32_t rank = 0; rank < kWorkers; ++rank) {
    writers.emplace_back([&, rank] {
      auto stream = OpenStream(Opening(run, rank));
      if (!stream.ok() || !stream->Declare(0, {"m"}).ok()) {
        failed = true;
        return;
      }
      for (uint64_t row = 0; row < kRows && !failed; row += 100) {
        if (stream->Append(Rows(0, row, 100)).has_value() ||
            !stream->observer->WaitFor(0, row + 100)) {
          failed = true;
        }
      }
    });
  }
  Values values;
  const auto complete = [&] {
    size_t points = 0;
    for (const auto& [series, got] : values) points += got.size();
    return points >= kWorkers * kRows;
  };
  while (!complete() && !failed) Drain(tail.get(), &values);
  for (std::thread& writer : writers) writer.join();
  ASSERT_FALSE(failed);
  Drain(tail.get(), &values);
  EXPECT_GT(engine_->Stats().seals, 10);
  ASSERT_EQ(values.size(), kWorkers);
  for (const auto& [series, got] : values) {
    ASSERT_EQ(got.size(), kRows);
    for (uint64_t row = 0; row < kRows; ++row) {
      ASSERT_EQ(got[row], static_cast<double>(row) * 0.5) << row;
    }
  }
}

TEST_F(EngineTailTest, ALongHistoryComesInBatchesOfBoundedSize) {
  const Uuid run = MakeRun();
  constexpr uint32_t kRows = 50000;
  for (uint32_t rank = 0; rank < 2; ++rank) {
    auto stream = OpenStream(Opening(run, rank));
    ASSERT_TRUE(stream.ok()) << stream.status();
    ASSERT_TRUE(stream->Declare(0, {"m"}).ok());
    for (uint32_t row = 0; row < kRows; row += 5000) {
      ASSERT_FALSE(stream->Append(Rows(0, row, 5000)).has_value());
      ASSERT_TRUE(stream->observer->WaitFor(0, row + 5000));
      if (row == 20000) {
        ASSERT_TRUE(engine_->Seal().ok());
      }
    }
  }
  TailSpec spec = Following(run, "m");
  spec.last_rows = kRows - 1000;
  const auto tail = Open(spec);
  ASSERT_NE(tail, nullptr);
  Values values;
  size_t batches = 0;
  bool more = true;
  while (more) {
    const auto batch = tail->Next();
    ASSERT_TRUE(batch.ok() && batch->has_value());
    size_t points = 0;
    for (const TailPart& part : (*batch)->parts) {
      points += part.series.points.size();
      Add(part, &values);
    }
    EXPECT_LE(points, (1 << 20) / 26);
    more = !(*batch)->position.has_value();
    ++batches;
  }
  EXPECT_GT(batches, 2);
  for (uint32_t rank = 0; rank < 2; ++rank) {
    const auto& got = values[{"m", "", rank}];
    ASSERT_EQ(got.size(), kRows - 1000);
    EXPECT_EQ(got.front(), 500);
    EXPECT_EQ(got.back(), (kRows - 1) * 0.5);
  }
}

}  // namespace
}  // namespace waterflow::storage
