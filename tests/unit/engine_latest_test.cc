// What is kept of runs in the family `latest`: a start finds it, nothing that
// is out of date is ever believed, and what is damaged is derived anew.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "storage/database/database.h"
#include "storage/format/bytes.h"
#include "storage/format/latest.h"
#include "tests/unit/engine_fixture.h"

namespace waterflow::storage {
namespace {

using ::testing::ElementsAre;

class EngineLatest : public EngineTest {
 protected:
  void Log(const Uuid& run, double value, int64_t step, uint32_t rank = 0,
           const std::string& metric = "loss") {
    WriteOptions write;
    write.run = run;
    write.worker.rank = rank;
    write.points.push_back(
        {.metric = metric, .value = value, .step = step, .time_ns = step});
    const auto written = engine_->Write(write);
    ASSERT_TRUE(written.ok()) << written.status();
  }
  Uuid ForkOf(const Uuid& parent, int64_t step) {
    CreateRunOptions options;
    options.name = "fork";
    options.fork_from = Fork{parent, step};
    auto run = engine_->CreateRun(options);
    EXPECT_TRUE(run.ok()) << run.status();
    return run->first.id;
  }
  // The last value of each run, in the order in which they were made; -1: none.
  std::vector<double> Last(const std::string& metric = "loss") {
    RunTableSpec spec;
    spec.order_by = {"created_time"};
    spec.columns = {"metrics." + metric};
    std::vector<double> values;
    const auto next = engine_->RunTable(spec, [&](const RunTablePart& part) {
      for (size_t r = 0; r < part.runs.size(); ++r) {
        values.push_back(
            part.columns[0].has_value[r] ? part.columns[0].numbers[r] : -1);
      }
      return absl::OkStatus();
    });
    EXPECT_TRUE(next.ok()) << next.status();
    return values;
  }
  // What is kept of a run, without the engine.
  std::optional<std::string> Kept(uint32_t run) {
    engine_.reset();
    auto database = Database::Open(Options());
    EXPECT_TRUE(database.ok()) << database.status();
    auto value = (*database)->Get(Family::kLatest, LatestKey({run}));
    if (!value.ok()) return std::nullopt;
    return *value;
  }
  void Tamper(uint32_t run, const std::string& value) {
    engine_.reset();
    auto database = Database::Open(Options());
    ASSERT_TRUE(database.ok()) << database.status();
    rocksdb::WriteBatch batch;
    batch.Put((*database)->family(Family::kLatest), LatestKey({run}), value);
    ASSERT_TRUE((*database)->Write(&batch, true).ok());
  }
  // The same with all its numbers replaced, so that it can be told whether they
  // were believed.
  static std::string With(const std::string& value, double number) {
    ByteReader in(value);
    const std::string source(in.String());
    LatestReader reader;
    EXPECT_TRUE(reader.Open(value, source));
    std::vector<LatestEntry> entries;
    for (LatestEntry entry; reader.Next(&entry);) {
      if (entry.statistics.has_value()) {
        for (auto& reduced : entry.statistics->values) reduced.fill(number);
      }
      entries.push_back(entry);
    }
    return EncodeLatest(source, entries);
  }
  // Derives what is there, and marks what is kept of run 1.
  void Mark() {
    ASSERT_TRUE(engine_->Seal().ok());
    Last();
    const std::optional<std::string> kept = Kept(1);
    ASSERT_TRUE(kept.has_value());
    Tamper(1, With(*kept, 77));
    Reopen();
  }
};

TEST_F(EngineLatest, AStartFindsWhatWasDerivedBefore) {
  const Uuid run = MakeRun();
  Log(run, 1, 1);
  Log(run, 3, 1, /*rank=*/1);
  Mark();
  EXPECT_THAT(Last(), ElementsAre(77));
  // A search reads it too.
  SearchSpec spec;
  spec.filter = "metrics.loss = 77 and min(metrics.loss, max) = 77";
  EXPECT_EQ(engine_->SearchRuns(spec)->runs.size(), 1u);
}

TEST_F(EngineLatest, NothingIsKeptOfARunWithRowsThatAreNotSealed) {
  Log(MakeRun(), 1, 1);
  EXPECT_THAT(Last(), ElementsAre(1));
  EXPECT_FALSE(Kept(1).has_value());
}

TEST_F(EngineLatest, ARowMakesItCountForNothing) {
  const Uuid run = MakeRun();
  Log(run, 1, 1);
  Mark();
  Log(run, 5, 2);
  EXPECT_THAT(Last(), ElementsAre(5));
  Reopen();
  EXPECT_THAT(Last(), ElementsAre(5));
  ASSERT_TRUE(engine_->Seal().ok());
  EXPECT_THAT(Last(), ElementsAre(5));
  ASSERT_TRUE(engine_->Flush().ok());
  Reopen();
  EXPECT_THAT(Last(), ElementsAre(5));
}

TEST_F(EngineLatest, SoDoesAnAttemptThatHidesRows) {
  const Uuid run = MakeRun();
  Log(run, 1, 1);
  Log(run, 5, 5);
  Mark();
  EXPECT_THAT(Last(), ElementsAre(77));
  StreamOptions options = Opening(run);
  options.attempt = 2;
  options.resume_step = 3;
  // No row comes.
  ASSERT_TRUE(OpenStream(options).ok());
  EXPECT_THAT(Last(), ElementsAre(1));
}

TEST_F(EngineLatest, AForkFollowsItsParent) {
  const Uuid parent = MakeRun();
  Log(parent, 1, 1);
  Log(parent, 5, 5);
  ForkOf(parent, 3);
  ASSERT_TRUE(engine_->Seal().ok());
  EXPECT_THAT(Last(), ElementsAre(5, 1));
  ASSERT_TRUE(Kept(2).has_value());
  Tamper(2, With(*Kept(2), 77));
  Reopen();
  EXPECT_THAT(Last(), ElementsAre(5, 77));
  Log(parent, 2, 2);
  EXPECT_THAT(Last(), ElementsAre(5, 2));
  ASSERT_TRUE(engine_->Seal().ok());
  Reopen();
  EXPECT_THAT(Last(), ElementsAre(5, 2));
}

TEST_F(EngineLatest, AMergeChangesNothing) {
  const Uuid run = MakeRun();
  for (int64_t step = 1; step < 6; ++step) {
    Log(run, 1, step);
    ASSERT_TRUE(engine_->Seal().ok());
  }
  Mark();
  ASSERT_TRUE(engine_->Flush().ok());
  EXPECT_THAT(Last(), ElementsAre(77));
}

TEST_F(EngineLatest, MetricsAreAddedAsTheyAreAskedFor) {
  const Uuid run = MakeRun();
  Log(run, 1, 1, 0, "loss");
  Log(run, 2, 1, 0, "accuracy");
  Mark();
  EXPECT_THAT(Last("accuracy"), ElementsAre(2));
  EXPECT_THAT(Last("loss"), ElementsAre(77));
  const std::optional<std::string> kept = Kept(1);
  Tamper(1, With(*kept, 78));
  Reopen();
  EXPECT_THAT(Last("accuracy"), ElementsAre(78));
  EXPECT_THAT(Last("loss"), ElementsAre(78));
}

TEST_F(EngineLatest, WhatIsDamagedIsDerivedAnew) {
  Log(MakeRun(), 1, 1);
  Mark();
  std::string damaged = *Kept(1);
  damaged[damaged.size() / 2] ^= 1;
  for (const std::string& value : {damaged, damaged.substr(0, 5), std::string(),
                                   std::string(99, '\xff')}) {
    Tamper(1, value);
    Reopen();
    EXPECT_THAT(Last(), ElementsAre(1));
    EXPECT_EQ(With(*Kept(1), 77), With(With(*Kept(1), 5), 77)) << "is whole";
  }
}

TEST_F(EngineLatest, ADeletedRunLeavesNothing) {
  const Uuid run = MakeRun();
  Log(run, 1, 1);
  Log(MakeRun("other"), 2, 1);
  ASSERT_TRUE(engine_->Seal().ok());
  EXPECT_THAT(Last(), ElementsAre(1, 2));
  ASSERT_TRUE(engine_->DeleteRun(run).ok());
  ASSERT_TRUE(engine_->Flush().ok());
  EXPECT_THAT(Last(), ElementsAre(2));
  EXPECT_FALSE(Kept(1).has_value());
  EXPECT_TRUE(Kept(2).has_value());
}

}  // namespace
}  // namespace waterflow::storage
