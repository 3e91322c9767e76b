// What the engine does when the disk is full, lies, or belongs to another.
#include <gmock/gmock.h>

#include <fstream>
#include <optional>
#include <set>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "storage/database/database.h"
#include "storage/format/bytes.h"
#include "storage/format/keys.h"
#include "tests/unit/engine_fixture.h"
#include "tests/unit/faulty_env.h"

namespace waterflow::storage {
namespace {

using ::testing::HasSubstr;

class EngineFault : public EngineTest {
 protected:
  void SetUp() override {
    env_ = NewFaultyEnv(&plan_);
    options_.env = env_.get();
    Reopen();
  }
  void TearDown() override {
    plan_.Set(nullptr);
    engine_.reset();
  }
  // Logs rows until that works; what a client does with RESOURCE_EXHAUSTED.
  bool AppendSoon(const Uuid& run, uint64_t first_row, uint32_t rows) {
    for (int attempt = 0; attempt < 100; ++attempt) {
      auto stream = OpenStream(Opening(run));
      if (stream.ok() && stream->Declare(0, {"loss"}).ok()) {
        stream->Append(Rows(0, first_row, rows));
        if (stream->observer->WaitFor(0, first_row + rows)) return true;
      }
      last_ = stream.ok() ? stream->observer->WaitForEnd() : stream.status();
      absl::SleepFor(absl::Milliseconds(100));
    }
    return false;
  }

  absl::Status last_;  // why it did not work
  FaultPlan plan_;
  std::unique_ptr<rocksdb::Env> env_;
};

TEST_F(EngineFault, AFullDiskRefusesWritesAndKeepsReadsUntilThereIsRoom) {
  const Uuid run = MakeRun();
  ASSERT_TRUE(AppendSoon(run, 0, 100));
  ASSERT_TRUE(engine_->Flush().ok());
  ASSERT_TRUE(AppendSoon(run, 100, 100));
  auto stream = OpenStream(Opening(run));
  ASSERT_TRUE(stream->Declare(0, {"loss"}).ok());

  // All but RocksDB's own diary, which says what it made of it.
  plan_.Set(
      [](const std::string& file) { return !absl::EndsWith(file, "LOG"); });
  ASSERT_FALSE(stream->Append(Rows(0, 200, 50)).has_value());
  const absl::Status ended = stream->observer->WaitForEnd();
  EXPECT_TRUE(absl::IsResourceExhausted(ended)) << ended;
  stream->session.reset();
  WriteOptions write;
  write.run = run;
  write.points = {{"x", 1, 1, 1}};
  EXPECT_TRUE(absl::IsResourceExhausted(engine_->Write(write).status()));
  EXPECT_FALSE(engine_->Flush().ok());
  EXPECT_EQ(ReadRaw(run, "loss").at(0).size(), 200u);
  EXPECT_TRUE(engine_->GetRun(run).ok());

  plan_.Set(nullptr);
  ASSERT_TRUE(AppendSoon(run, 200, 50)) << last_;
  for (int pass = 0; pass < 2; ++pass) {
    const Points p = ReadRaw(run, "loss").at(0);
    ASSERT_EQ(p.size(), 250u);
    for (int i = 0; i < 250; ++i) ASSERT_EQ(p.steps[i], i);
    Reopen();
  }
  ASSERT_TRUE(engine_->Flush().ok());
  EXPECT_EQ(ReadRaw(run, "loss").at(0).size(), 250u);
}

TEST_F(EngineFault, AWriteThatFailedIsDoneWhenItIsRepeated) {
  const Uuid run = MakeRun();
  ASSERT_TRUE(AppendSoon(run, 0, 1));
  WriteOptions write;
  write.run = run;
  write.request_id = "once";
  write.points = {{"x", 1, 1, 1}};
  plan_.Set(
      [](const std::string& file) { return !absl::EndsWith(file, "LOG"); });
  EXPECT_TRUE(absl::IsResourceExhausted(engine_->Write(write).status()));
  EXPECT_TRUE(absl::IsResourceExhausted(engine_->Write(write).status()));
  plan_.Set(nullptr);
  absl::Status written = engine_->Write(write).status();
  for (int i = 0; !written.ok() && i < 100; ++i) {
    absl::SleepFor(absl::Milliseconds(100));
    written = engine_->Write(write).status();
  }
  ASSERT_TRUE(written.ok()) << written;
  ASSERT_TRUE(engine_->Write(write).ok());
  for (int pass = 0; pass < 2; ++pass) {
    EXPECT_EQ(ReadRaw(run, "x").at(0).values, (std::vector<double>{1}));
    Reopen();
  }
}

TEST_F(EngineFault, AWriteForWhichThereIsNoRoomIsNotSaidToBeDone) {
  options_.seal_bytes = 16 << 10;
  Reopen();
  const Uuid run = MakeRun();
  // The log has room, and sealing has none: heads fill up.
  plan_.Set(
      [](const std::string& file) { return absl::StrContains(file, "seal-"); });
  WriteOptions write;
  write.run = run;
  int done = 0;
  absl::Status refused;
  for (; done < 3000 && refused.ok();) {
    write.request_id = absl::StrCat("request ", done);
    write.points = {{"x", static_cast<double>(done), done, done}};
    refused = engine_->Write(write).status();
    if (refused.ok()) ++done;
  }
  ASSERT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_EQ(ReadRaw(run, "x").at(0).size(), static_cast<size_t>(done));
  plan_.Set(nullptr);
  for (int i = 0; !refused.ok() && i < 100; ++i) {
    absl::SleepFor(absl::Milliseconds(100));
    refused = engine_->Write(write).status();
  }
  ASSERT_TRUE(refused.ok()) << refused;
  const Points p = ReadRaw(run, "x").at(0);
  ASSERT_EQ(p.size(), static_cast<size_t>(done) + 1);
  EXPECT_EQ(p.values.back(), done);
}

TEST_F(EngineFault, ASealThatFailsLosesNothingAndIsTriedAgain) {
  const Uuid run = MakeRun();
  ASSERT_TRUE(AppendSoon(run, 0, 1000));
  plan_.Set(
      [](const std::string& file) { return absl::StrContains(file, "seal-"); });
  EXPECT_TRUE(absl::IsResourceExhausted(engine_->Flush().status()));
  EXPECT_EQ(ReadRaw(run, "loss").at(0).size(), 1000u);
  ASSERT_TRUE(AppendSoon(run, 1000, 10));
  plan_.Set(nullptr);
  absl::StatusOr<uint64_t> sealed = engine_->Flush();
  for (int i = 0; !sealed.ok() && i < 50; ++i) sealed = engine_->Flush();
  ASSERT_TRUE(sealed.ok()) << sealed.status();
  for (int pass = 0; pass < 2; ++pass) {
    EXPECT_EQ(ReadRaw(run, "loss").at(0).size(), 1010u);
    Reopen();
  }
}

TEST_F(EngineFault, AGenerationThatWasNeverCommittedIsDroppedAtOpen) {
  const Uuid run = MakeRun();
  ASSERT_TRUE(AppendSoon(run, 0, 1000));
  // The files are ingested; the commit that would name them fails.
  plan_.Set(
      [](const std::string& file) { return absl::EndsWith(file, ".log"); });
  EXPECT_FALSE(engine_->Flush().ok());
  engine_.reset();
  plan_.Set(nullptr);
  Reopen();
  EXPECT_EQ(ReadRaw(run, "loss").at(0).size(), 1000u);
  ASSERT_TRUE(engine_->Flush().ok());
  EXPECT_EQ(ReadRaw(run, "loss").at(0).size(), 1000u);
}

TEST_F(EngineFault, ADamagedBlockCostsItsOwnSeriesAndIsNamed) {
  const Uuid run = MakeRun();
  std::vector<std::string> names;
  for (int m = 0; m < 20; ++m) names.push_back(absl::StrCat("m", m));
  {
    auto stream = OpenStream(Opening(run));
    ASSERT_TRUE(stream->Declare(0, names).ok());
    // Random values, so that each metric fills a block of its own.
    uint64_t state = 1;
    for (uint32_t first = 0; first < 40000; first += 4000) {
      std::vector<int64_t> steps(4000);
      for (uint32_t i = 0; i < 4000; ++i) steps[i] = first + i;
      BatchBuilder batch(0, first, 4000);
      batch.Steps(steps).Times(steps);
      for (uint32_t m = 0; m < names.size(); ++m) {
        std::vector<double> values(4000);
        for (double& v : values) {
          state = state * 6364136223846793005u + 1442695040888963407u;
          v = static_cast<double>(state >> 11);
        }
        batch.Float64(m, values);
      }
      ASSERT_FALSE(stream->Append(batch.Build()).has_value());
    }
    ASSERT_TRUE(stream->observer->WaitFor(0, 40000));
  }
  ASSERT_TRUE(engine_->Flush().ok());
  engine_.reset();
  // One bit in the middle of the largest file, which holds the blocks.
  std::filesystem::path largest;
  for (const auto& f :
       std::filesystem::directory_iterator(Options().data_dir)) {
    if (f.path().extension() != ".sst") continue;
    if (largest.empty() || f.file_size() > file_size(largest)) {
      largest = f.path();
    }
  }
  ASSERT_FALSE(largest.empty());
  {
    std::fstream file(largest, std::ios::in | std::ios::out | std::ios::binary);
    const auto middle = static_cast<std::streamoff>(file_size(largest) / 2);
    file.seekg(middle);
    const char byte = static_cast<char>(file.get() ^ 0x10);
    file.seekp(middle);
    file.put(byte);
  }
  Reopen();
  int damaged = 0;
  for (const std::string& name : names) {
    ReadSpec spec;
    spec.runs = {run};
    spec.metrics = {name};
    uint64_t points = 0;
    const auto read = engine_->Read(spec, [&](SeriesPart part) {
      points += part.points.size();
      return absl::OkStatus();
    });
    if (read.ok()) {
      EXPECT_EQ(points, 40000u);
      continue;
    }
    ++damaged;
    EXPECT_TRUE(absl::IsDataLoss(read.status())) << read.status();
    // Generation 1, run 1, schema 0.
    EXPECT_THAT(std::string(read.status().message()),
                HasSubstr("block 000000010000000100000000"));
  }
  EXPECT_EQ(damaged, 1);
}

class EngineFormat : public EngineFault {
 protected:
  // Of a store whose format version is `bytes` (absent: there is none), what a
  // start says, and what a look from outside says, which must be the same.
  absl::Status Refusal(const std::optional<std::string>& bytes) {
    engine_.reset();
    {
      auto database = Database::Open(Options());
      EXPECT_TRUE(database.ok()) << database.status();
      auto* const meta = (*database)->family(Family::kMeta);
      rocksdb::WriteBatch batch;
      if (bytes.has_value()) {
        batch.Put(meta, ToSlice(kMetaFormatVersion), *bytes);
      } else {
        batch.Delete(meta, ToSlice(kMetaFormatVersion));
      }
      EXPECT_TRUE((*database)->Write(&batch, true).ok());
    }
    const absl::Status looked =
        VerifyOffline(Options(), VerifyObserver()).status();
    const absl::Status opened = Engine::Open(Options()).status();
    EXPECT_EQ(opened, looked);
    EXPECT_TRUE(absl::IsFailedPrecondition(opened)) << opened;
    return opened;
  }

  static std::string Encoded(uint32_t version) {
    std::string bytes;
    AppendFixed(version, &bytes);
    return bytes;
  }
};

TEST_F(EngineFormat, AnUnknownOneIsRefusedByBothVersions) {
  const std::string message(Refusal(Encoded(kFormatVersion + 41)).message());
  EXPECT_THAT(message,
              HasSubstr(absl::StrCat("version ", kFormatVersion + 41)));
  EXPECT_THAT(message,
              HasSubstr(absl::StrCat("reads versions ", kOldestFormatVersion,
                                     " to ", kFormatVersion)));
}

TEST_F(EngineFormat, ADamagedOneIsRefused) {
  const std::string message(Refusal("\1").message());
  EXPECT_THAT(message,
              HasSubstr("a damaged format version: 1 bytes, expected 4"));
}

TEST_F(EngineFormat, AStoreThatLostItsOwnIsRefused) {
  ASSERT_TRUE(AppendSoon(MakeRun(), 0, 100));
  ASSERT_TRUE(engine_->Seal().ok());
  const std::string message(Refusal(std::nullopt).message());
  EXPECT_THAT(message, HasSubstr("has no format version"));
}

TEST_F(EngineFault, AFolderInUseIsRefused) {
  const absl::Status refused = Engine::Open(Options()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("in use"));
}

TEST_F(EngineFault, NoCopyIsMadeOfAStoreWhoseDiskFailedUntilItIsOpenedAnew) {
  // Else the reserve may refuse the rows before any write has failed.
  options_.disk_reserve_bytes = 0;
  Reopen();
  const Uuid run = MakeRun();
  auto stream = OpenStream(Opening(run));
  ASSERT_TRUE(stream.ok() && stream->Declare(0, {"loss"}).ok());
  plan_.Set(
      [](const std::string& file) { return !absl::EndsWith(file, "LOG"); });
  stream->Append(Rows(0, 0, 50));
  EXPECT_FALSE(stream->observer->WaitForEnd().ok());
  stream->session.reset();
  plan_.Set(nullptr);
  ASSERT_TRUE(AppendSoon(run, 0, 50)) << last_;

  const std::string checkpoint = dir_.path() + "/checkpoint";
  const BackupOptions backup = {.path = dir_.path() + "/backups"};
  EXPECT_TRUE(
      absl::IsFailedPrecondition(engine_->Checkpoint(checkpoint).status()));
  const absl::Status refused = engine_->Backup(backup).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("started again"));
  Reopen();
  EXPECT_TRUE(engine_->Checkpoint(checkpoint).ok());
  EXPECT_TRUE(engine_->Backup(backup).ok());
}

TEST_F(EngineFault, ACheckpointHoldsWhatWasAckedBefore) {
  const Uuid run = MakeRun();
  ASSERT_TRUE(AppendSoon(run, 0, 100));
  ASSERT_TRUE(engine_->Flush().ok());
  ASSERT_TRUE(AppendSoon(run, 100, 100));
  const std::string copy = dir_.path() + "/copy";
  ASSERT_TRUE(engine_->Checkpoint(copy).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(engine_->Checkpoint(copy).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(engine_->Checkpoint("copy").status()));
  ASSERT_TRUE(AppendSoon(run, 200, 100));
  EngineOptions options = Options();
  options.data_dir = copy;
  engine_.reset();
  auto engine = Engine::Open(options);
  ASSERT_TRUE(engine.ok()) << engine.status();
  engine_ = *std::move(engine);
  EXPECT_EQ(ReadRaw(run, "loss").at(0).size(), 200u);
}

}  // namespace
}  // namespace waterflow::storage
