// A verification finds what is wrong, all of it, and nothing else.
#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "storage/database/database.h"
#include "storage/format/bytes.h"
#include "storage/format/catalog_record.h"
#include "storage/format/keys.h"
#include "storage/format/summary.h"
#include "storage/keep/log_check.h"
#include "tests/unit/engine_fixture.h"

namespace waterflow::storage {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr int kMetrics = 40;
constexpr uint32_t kRows = 3000;

class KeepVerify : public EngineTest {
 protected:
  // Two sealed runs of many metrics and two workers, and rows in the log.
  void SetUp() override {
    EngineTest::SetUp();
    for (int m = 0; m < kMetrics; ++m) names_.push_back(absl::StrCat("m", m));
    for (const char* name : {"one", "two"}) {
      runs_.push_back(MakeRun(name));
      for (uint32_t rank = 0; rank < 2; ++rank) Log(runs_.back(), rank, 0);
    }
    ASSERT_TRUE(engine_->Flush().ok());
    Log(runs_[0], 0, kRows);
  }

  void Log(const Uuid& run, uint32_t rank, uint64_t first_row) {
    auto stream = OpenStream(Opening(run, rank));
    ASSERT_TRUE(stream.ok());
    ASSERT_TRUE(stream->Declare(0, names_).ok());
    std::vector<int64_t> steps(kRows);
    BatchBuilder batch(0, first_row, kRows);
    for (uint32_t r = 0; r < kRows; ++r) {
      steps[r] = static_cast<int64_t>(first_row + r);
    }
    batch.Steps(steps).Times(steps);
    std::vector<double> values(kRows);
    for (uint32_t m = 0; m < kMetrics; ++m) {
      for (uint32_t r = 0; r < kRows; ++r) {
        values[r] = 1.0 / static_cast<double>(first_row + 7 * r + m + rank + 1);
      }
      batch.Float64(m, values);
    }
    ASSERT_FALSE(stream->Append(batch.Build()).has_value());
    ASSERT_TRUE(stream->observer->WaitFor(0, first_row + kRows));
  }

  VerifyObserver Observer() {
    return {.problem =
                [this](const VerifyProblem& problem) {
                  problems_.push_back(problem.ToLine());
                },
            .progress =
                [this](const VerifyProgress& progress) {
                  progress_ = progress.bytes_read;
                  return absl::OkStatus();
                }};
  }
  absl::StatusOr<VerifyReport> Offline() {
    engine_.reset();
    problems_.clear();
    return VerifyOffline(Options(), Observer());
  }

  // Changes the store behind the engine's back.
  template <typename Change>
  void Tamper(Family family, const std::string& key, Change change) {
    engine_.reset();
    auto database = Database::Open(Options());
    ASSERT_TRUE(database.ok()) << database.status();
    absl::StatusOr<std::string> value = (*database)->Get(family, key);
    ASSERT_TRUE(value.ok()) << value.status();
    rocksdb::WriteBatch batch;
    if (change(*value)) {
      batch.Put((*database)->family(family), key, *value);
    } else {
      batch.Delete((*database)->family(family), key);
    }
    ASSERT_TRUE((*database)->Write(&batch, true).ok());
  }

  std::vector<std::string> names_;
  std::vector<Uuid> runs_;
  std::vector<std::string> problems_;
  uint64_t progress_ = 0;
};

TEST_F(KeepVerify, ACleanStoreIsCleanOnlineAndOffline) {
  const auto online = engine_->Verify(Observer());
  ASSERT_TRUE(online.ok()) << online.status();
  EXPECT_THAT(problems_, IsEmpty());
  EXPECT_EQ(online->problems, 0u);
  EXPECT_EQ(online->runs, 2u);
  EXPECT_EQ(online->generations, 1u);
  EXPECT_EQ(online->values, uint64_t{4} * kRows * kMetrics);
  EXPECT_GE(online->log_groups, 1u);
  const auto offline = Offline();
  ASSERT_TRUE(offline.ok()) << offline.status();
  EXPECT_THAT(problems_, IsEmpty());
  EXPECT_EQ(offline->values, online->values);
  EXPECT_EQ(offline->log_groups, online->log_groups);
}

TEST_F(KeepVerify, OfflineChangesNothing) {
  engine_.reset();
  const auto listing = [this] {
    std::map<std::string, uintmax_t> files;
    for (const auto& f :
         std::filesystem::directory_iterator(Options().data_dir)) {
      files[f.path().string()] = f.file_size();
    }
    return files;
  };
  const auto before = listing();
  ASSERT_TRUE(Offline().ok());
  EXPECT_EQ(listing(), before);
}

TEST_F(KeepVerify, OfflineNeedsAStoreThatNobodyHasOpen) {
  EXPECT_TRUE(absl::IsFailedPrecondition(
      VerifyOffline(Options(), Observer()).status()));
  EngineOptions none = Options();
  none.data_dir = dir_.path() + "/none";
  EXPECT_TRUE(absl::IsNotFound(VerifyOffline(none, Observer()).status()));
  EXPECT_FALSE(std::filesystem::exists(none.data_dir));
}

TEST_F(KeepVerify, ADamagedBlockIsNamedAndCostsItselfAlone) {
  // Generation 1, run 2, schema 0, worker block 0, metric 32: however many
  // metrics a tile has, one begins there.
  const std::string key =
      TileKey(GenerationId{1}, RunId{2}, SchemaId{0}, 0, 32);
  Tamper(Family::kBlocks, key, [](std::string& value) {
    value[value.size() / 2] = static_cast<char>(value[value.size() / 2] ^ 4);
    return true;
  });
  const auto report = Offline();
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(problems_.size(), 1u) << absl::StrJoin(problems_, "\n");
  EXPECT_THAT(problems_[0],
              StartsWith("blocks 0000000100000002000000000000000000000020: "));
  EXPECT_THAT(problems_[0], HasSubstr("checksum"));
  Reopen();
  EXPECT_EQ(ReadRaw(runs_[0], "m32").at(0).size(), 2 * kRows);
  EXPECT_EQ(ReadRaw(runs_[1], "m31").at(0).size(), kRows);
}

TEST_F(KeepVerify, ABitThatTurnedInAFileIsFoundAndCostsItsKeysAlone) {
  engine_.reset();
  std::filesystem::path largest;
  for (const auto& f :
       std::filesystem::directory_iterator(Options().data_dir)) {
    if (f.path().extension() != ".sst") continue;
    if (largest.empty() || f.file_size() > file_size(largest)) {
      largest = f.path();
    }
  }
  std::string bytes;
  {
    std::ifstream in(largest, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  std::ofstream(largest, std::ios::binary) << bytes;
  const auto report = Offline();
  ASSERT_TRUE(report.ok()) << report.status();
  // What lies in one block of RocksDB: some neighbours, where they are small.
  EXPECT_THAT(problems_, SizeIs(AllOf(Ge(1u), Le(3u))));
  EXPECT_THAT(problems_, Each(AllOf(StartsWith("blocks 00000001"),
                                    HasSubstr("checksum mismatch"))));
}

TEST_F(KeepVerify, WhatIsMissingOrSurplusIsNamed) {
  const auto gone = [](std::string&) { return false; };
  Tamper(Family::kBlocks, TileKey(GenerationId{1}, RunId{1}, SchemaId{0}, 0, 0),
         gone);
  Tamper(Family::kSummaries,
         TileKey(GenerationId{1}, RunId{1}, SchemaId{0}, 0, 32), gone);
  Tamper(Family::kCatalog, RowCountKey(RunId{2}, SchemaId{0}, WorkerId{1}),
         [](std::string& value) {
           value = EncodeValue(RowCountValue{.rows = 1, .values = 2});
           return true;
         });
  ASSERT_TRUE(Offline().ok());
  ASSERT_EQ(problems_.size(), 3u) << absl::StrJoin(problems_, "\n");
  EXPECT_THAT(problems_[0], HasSubstr("blocks 0000000100000001"));
  EXPECT_THAT(problems_[0], HasSubstr("not there"));
  EXPECT_THAT(problems_[1], HasSubstr("summaries 0000000100000001"));
  EXPECT_THAT(problems_[2], StartsWith("catalog 43"));
  EXPECT_THAT(problems_[2], HasSubstr("1 rows with 2 values"));
}

TEST_F(KeepVerify, TimesAndSpansThatAreLostCostOnlyWhatNeedsThem) {
  // So many rows that both lie apart.
  constexpr uint32_t kLong = 30'000;
  const Uuid run = MakeRun("long");
  {
    auto stream = OpenStream(Opening(run, 0));
    ASSERT_TRUE(stream.ok());
    ASSERT_TRUE(stream->Declare(0, {"m0", "m1"}).ok());
    std::vector<int64_t> steps(kLong);
    std::vector<int64_t> times(kLong);
    std::vector<double> values(kLong);
    for (uint32_t r = 0; r < kLong; ++r) {
      steps[r] = r;
      times[r] = int64_t{1000} * r + r * r % 997;
      values[r] = 1.0 / (r + 1);
    }
    BatchBuilder batch(0, 0, kLong);
    batch.Steps(steps).Times(times).Float64(0, values).Float64(1, values);
    ASSERT_FALSE(stream->Append(batch.Build()).has_value());
    ASSERT_TRUE(stream->observer->WaitFor(0, kLong));
  }
  ASSERT_TRUE(engine_->Flush().ok());
  const GenerationId generation{2};
  Tamper(Family::kBlocks, TimesKey(generation, RunId{3}, SchemaId{0}, 0),
         [](std::string&) { return false; });
  Tamper(Family::kBlocks, SpansKey(generation, RunId{3}, SchemaId{0}, 0, 0),
         [](std::string& value) {
           value[value.size() / 2] =
               static_cast<char>(~value[value.size() / 2]);
           return true;
         });
  ASSERT_TRUE(Offline().ok());
  ASSERT_EQ(problems_.size(), 2u) << absl::StrJoin(problems_, "\n");
  EXPECT_THAT(
      problems_[0],
      StartsWith("blocks 000000020000000300000000000000000000000001: spans: "));
  EXPECT_THAT(
      problems_[1],
      StartsWith("blocks 00000002000000030000000000000000ffffffff: times: "));

  Reopen();
  ReadSpec spec;
  spec.runs = {run};
  const auto read = [&](const std::string& metric, Axis axis,
                        uint32_t max_points) {
    spec.metrics = {metric};
    spec.axis = axis;
    spec.max_points = max_points;
    return engine_
        ->Read(spec, [](const SeriesPart&) { return absl::OkStatus(); })
        .status();
  };
  EXPECT_TRUE(read("m0", Axis::kStep, 8).ok());    // whole strips
  EXPECT_TRUE(read("m1", Axis::kStep, 100).ok());  // spans of another tile
  EXPECT_THAT(read("m0", Axis::kStep, 100).ToString(),
              AllOf(HasSubstr("DATA_LOSS"), HasSubstr("spans")));
  EXPECT_THAT(read("m1", Axis::kTime, 8).ToString(),
              AllOf(HasSubstr("DATA_LOSS"), HasSubstr("times")));
}

TEST_F(KeepVerify, ASummaryThatDisagreesWithItsValuesIsNamed) {
  const std::string key = TileKey(GenerationId{1}, RunId{1}, SchemaId{0}, 0, 0);
  Tamper(Family::kSummaries, key, [](std::string& value) {
    ChunkValues chunk;
    chunk.rows = kRows;
    chunk.values.assign(kRows, 1.0);
    const auto block = SummaryBlock::Parse(value);
    if (!block.ok()) return true;
    std::vector<SummaryBuilder> tile(block->metric_count());
    for (uint32_t m = 0; m < tile.size(); ++m) {
      const auto strips = block->Read(m);
      if (!strips.ok()) return true;
      for (const StripSummary& strip : *strips) {
        tile[m].Add(m == 0 ? Summarize(chunk) : strip);
      }
    }
    value = BuildSummaries(tile).strips;
    return true;
  });
  ASSERT_TRUE(Offline().ok());
  ASSERT_EQ(problems_.size(), 1u) << absl::StrJoin(problems_, "\n");
  EXPECT_THAT(
      problems_[0],
      StartsWith("summaries 0000000100000001000000000000000000000000: "));
}

TEST_F(KeepVerify, ADamagedLogGroupIsNamed) {
  engine_.reset();
  auto database = *Database::OpenReadOnly(Options());
  auto it = database->Iterate(Family::kLog);
  it->SeekToLast();
  ASSERT_TRUE(it->Valid());
  const std::string key(ToView(it->key()));
  it.reset();
  database.reset();
  Tamper(Family::kLog, key, [](std::string& value) {
    value.resize(value.size() / 2);
    return true;
  });
  ASSERT_TRUE(Offline().ok());
  ASSERT_EQ(problems_.size(), 1u) << absl::StrJoin(problems_, "\n");
  EXPECT_THAT(problems_[0],
              StartsWith(absl::StrCat("log ", absl::BytesToHexString(key))));
}

TEST_F(KeepVerify, RunsThatWereDeletedAreNoProblem) {
  ASSERT_TRUE(engine_->DeleteRun(runs_[0]).ok());
  const auto online = engine_->Verify(Observer());
  ASSERT_TRUE(online.ok()) << online.status();
  EXPECT_THAT(problems_, IsEmpty());
  ASSERT_TRUE(engine_->Flush().ok());
  ASSERT_TRUE(engine_->Verify(Observer()).ok());
  EXPECT_THAT(problems_, IsEmpty());
}

TEST_F(KeepVerify, RunsThatWereDeletedAreNoProblemBeforeAMergeLeavesThemOut) {
  options_.merge_fan_in = 0;
  Reopen();
  ASSERT_TRUE(engine_->DeleteRun(runs_[0]).ok());
  ASSERT_TRUE(engine_->Seal().ok());
  ASSERT_TRUE(engine_->Verify(Observer()).ok());
  EXPECT_THAT(problems_, IsEmpty());
  ASSERT_TRUE(Offline().ok());
  EXPECT_THAT(problems_, IsEmpty());
}

TEST_F(KeepVerify, ADeleteThatIsMergedAndNotYetSealedIsNoProblem) {
  const std::string data = Options().data_dir;
  const std::string copy = data + ".cut";
  // As a cut of the power leaves it right behind the delete.
  options_.at_point = [&](absl::string_view point) {
    if (point != "delete:after_record") return;
    std::filesystem::copy(data, copy);
  };
  Reopen();
  ASSERT_TRUE(engine_->DeleteRun(runs_[0]).ok());
  engine_.reset();
  std::atomic<bool> hold{true};
  std::atomic<bool> merged{false};
  EngineOptions options = Options();
  options.data_dir = copy;
  options.at_point = [&](absl::string_view point) {
    if (point == "merge:after_commit") merged = true;
    while (point == "seal:before_files" && hold) {
      absl::SleepFor(absl::Milliseconds(1));
    }
  };
  auto engine = Engine::Open(options);
  ASSERT_TRUE(engine.ok()) << engine.status();
  for (int i = 0; i < 10'000 && !merged; ++i) {
    absl::SleepFor(absl::Milliseconds(1));
  }
  EXPECT_TRUE(merged);
  EXPECT_TRUE((*engine)->Verify(Observer()).ok());
  EXPECT_THAT(problems_, IsEmpty());
  hold = false;
  engine->reset();
}

TEST_F(KeepVerify, ALogThatIsTrimmedMeanwhileIsReadToItsEnd) {
  engine_.reset();
  auto database = Database::Open(Options());
  ASSERT_TRUE(database.ok()) << database.status();
  const auto sealed = (*database)->Get(Family::kMeta, kMetaSealedPosition);
  ASSERT_TRUE(sealed.ok());
  const VerifyObserver observer = Observer();
  VerifyRun run(database->get(), &observer);
  ASSERT_TRUE(
      (*database)->db()->Flush({}, (*database)->family(Family::kLog)).ok());
  ASSERT_TRUE(
      (*database)
          ->DropFiles(Family::kLog, LogKey(Position{0}), std::string(9, '\xff'))
          .ok());
  CatalogCheck catalog;
  catalog.Load(&run);
  CheckLog(Position{LoadFixed<uint64_t>(sealed->data())}, catalog, &run);
  EXPECT_GT(run.report().log_groups, 0u);
  EXPECT_THAT(problems_, IsEmpty());
}

TEST_F(KeepVerify, CanBeCancelled) {
  const auto report = engine_->Verify(
      {.problem = nullptr, .progress = [](const VerifyProgress&) {
         return absl::CancelledError("enough");
       }});
  EXPECT_TRUE(absl::IsCancelled(report.status())) << report.status();
}

}  // namespace
}  // namespace waterflow::storage
