// A backup holds what was acked before it began, and can be lived in.
#include <gmock/gmock.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/engine_fixture.h"

namespace waterflow::storage {
namespace {

constexpr uint32_t kRows = 1000;

class KeepBackup : public EngineTest {
 protected:
  std::string Folder() const { return dir_.path() + "/backups"; }

  // Lives in a restored directory from now on.
  void MoveTo(const std::string& name, uint32_t id = 0) {
    engine_.reset();
    const std::string data_dir = dir_.path() + "/" + name;
    const auto restored =
        RestoreBackup({.from = Folder(), .id = id, .data_dir = data_dir});
    ASSERT_TRUE(restored.ok()) << restored.status();
    EngineOptions options = Options();
    options.data_dir = data_dir;
    const auto report = VerifyOffline(options, VerifyObserver());
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->problems, 0u);
    auto engine = Engine::Open(options);
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
  }
  void ExpectRows(const Uuid& run, uint64_t at_least) {
    const Points points = ReadRaw(run, "loss").at(0);
    ASSERT_GE(points.size(), at_least);
    for (size_t row = 0; row < points.size(); ++row) {
      ASSERT_EQ(points.steps[row], static_cast<int64_t>(row));
      ASSERT_EQ(points.values[row], static_cast<double>(row) * 0.5);
    }
  }
};

TEST_F(KeepBackup, HoldsEveryRowThatWasAckedBeforeItWhileIngestGoesOn) {
  const Uuid run = MakeRun();
  auto stream = OpenStream(Opening(run));
  ASSERT_TRUE(stream.ok());
  ASSERT_TRUE(stream->Declare(0, {"loss"}).ok());
  std::atomic<uint64_t> acked{0};
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (uint64_t row = 0; !stop; row += kRows) {
      stream->Append(Rows(0, row, kRows));
      if (!stream->observer->WaitFor(0, row + kRows)) return;
      acked = row + kRows;
    }
  });
  while (acked < 20 * kRows) std::this_thread::yield();
  EXPECT_TRUE(engine_->Flush().ok());
  while (acked < 40 * kRows) std::this_thread::yield();
  const uint64_t before = acked;
  const auto made = engine_->Backup({.path = Folder(), .verify = true});
  EXPECT_TRUE(made.ok()) << made.status();
  while (acked < before + 20 * kRows) std::this_thread::yield();
  stop = true;
  writer.join();
  const uint64_t end = acked;
  stream->session.reset();

  MoveTo("restored");
  ExpectRows(run, before);
  const uint64_t stored = ReadRaw(run, "loss").at(0).size();
  ASSERT_LT(stored, end) << "rows behind the backup were to be lost";

  // The client goes on; what it holds no more is recorded as lost.
  StreamOptions opening = Opening(run);
  opening.held = {{0, end}};
  auto again = OpenStream(opening);
  ASSERT_TRUE(again.ok());
  ASSERT_TRUE(again->Declare(0, {"loss"}).ok());
  ASSERT_FALSE(again->Append(Rows(0, end, 10)).has_value());
  ASSERT_TRUE(again->observer->WaitFor(0, end + 10));
  again->session.reset();
  ReadSpec spec;
  spec.runs = {run};
  spec.metrics = {"loss"};
  const auto summary =
      engine_->Read(spec, [](const SeriesPart&) { return absl::OkStatus(); });
  ASSERT_TRUE(summary.ok());
  ASSERT_EQ(summary->lost.size(), 1u);
  EXPECT_EQ(summary->lost[0].first_row, stored);
  EXPECT_EQ(summary->lost[0].end_row, end);
  EXPECT_EQ(ReadRaw(run, "loss").at(0).size(), stored + 10);
}

// Calls back when a folder is listed: RocksDB does it between the two halves of
// a copy, when it knows the files and not yet the log.
class ListingFileSystem : public rocksdb::FileSystemWrapper {
 public:
  explicit ListingFileSystem(std::function<void()> listed)
      : FileSystemWrapper(rocksdb::FileSystem::Default()),
        listed_(std::move(listed)) {}
  const char* Name() const override { return "ListingFileSystem"; }
  rocksdb::IOStatus GetChildren(const std::string& dir,
                                const rocksdb::IOOptions& options,
                                std::vector<std::string>* result,
                                rocksdb::IODebugContext* debug) override {
    listed_();
    return FileSystemWrapper::GetChildren(dir, options, result, debug);
  }

 private:
  const std::function<void()> listed_;
};

// A generation that came in between would be named by the log and be missing.
TEST_F(KeepBackup, ACopyIsWholeWhenASealComesInTheMiddleOfIt) {
  std::atomic<bool> armed{false};
  std::atomic<bool> sealed{false};
  std::thread sealer;
  const std::unique_ptr<rocksdb::Env> env =
      rocksdb::NewCompositeEnv(std::make_shared<ListingFileSystem>([&] {
        if (!armed.exchange(false)) return;
        sealer = std::thread([&] {
          EXPECT_TRUE(engine_->Seal().ok());
          sealed = true;
        });
        // Long enough for a seal that nothing holds up.
        for (int i = 0; i < 100 && !sealed; ++i) {
          absl::SleepFor(absl::Milliseconds(10));
        }
      }));
  options_.env = env.get();
  Reopen();
  const Uuid run = MakeRun();
  auto stream = OpenStream(Opening(run));
  ASSERT_TRUE(stream.ok());
  ASSERT_TRUE(stream->Declare(0, {"loss"}).ok());
  stream->Append(Rows(0, 0, kRows));
  ASSERT_TRUE(stream->observer->WaitFor(0, kRows));
  armed = true;
  ASSERT_TRUE(engine_->Checkpoint(dir_.path() + "/copy").ok());
  ASSERT_FALSE(armed) << "nothing was listed: the test has lost its grip";
  sealer.join();
  stream->session.reset();
  engine_.reset();
  EngineOptions options = Options();
  options.env = nullptr;
  options.data_dir = dir_.path() + "/copy";
  auto engine = Engine::Open(options);
  ASSERT_TRUE(engine.ok()) << engine.status();
  engine_ = *std::move(engine);
  ExpectRows(run, kRows);
  engine_.reset();
}

TEST_F(KeepBackup, TheSecondOneCopiesOnlyWhatIsNewAndEachCanBeRestored) {
  const Uuid run = MakeRun();
  auto stream = OpenStream(Opening(run));
  ASSERT_TRUE(stream->Declare(0, {"loss"}).ok());
  for (uint64_t row = 0; row < 1000 * kRows; row += 50 * kRows) {
    stream->Append(Rows(0, row, 50 * kRows));
  }
  // Values that do not shrink, so that the first backup has a size.
  ASSERT_TRUE(stream->Declare(1, {"noise"}).ok());
  std::vector<double> noise(60000);
  uint64_t state = 1;
  for (double& v : noise) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    v = static_cast<double>(state >> 11);
  }
  stream->Append(BatchBuilder(1, 0, 60000).Float64(0, noise).Build());
  ASSERT_TRUE(stream->observer->WaitFor(1, 60000));
  ASSERT_TRUE(stream->observer->WaitFor(0, 1000 * kRows));
  ASSERT_TRUE(engine_->Flush().ok());
  const auto first = engine_->Backup({.path = Folder()});
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->backup.id, 1u);
  stream->Append(Rows(0, 1000 * kRows, kRows));
  ASSERT_TRUE(stream->observer->WaitFor(0, 1001 * kRows));
  stream->session.reset();
  const auto second = engine_->Backup({.path = Folder()});
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->backup.id, 2u);
  EXPECT_LT(second->bytes_added, first->bytes_added / 2)
      << first->bytes_added << " bytes before";
  EXPECT_EQ(ListBackups(Folder())->size(), 2u);

  MoveTo("first", 1);
  ExpectRows(run, 1000 * kRows);
  EXPECT_EQ(ReadRaw(run, "loss").at(0).size(), 1000u * kRows);
  MoveTo("second");
  EXPECT_EQ(ReadRaw(run, "loss").at(0).size(), 1001u * kRows);
  ASSERT_TRUE(engine_->Backup({.path = Folder(), .keep = 1}).ok());
  EXPECT_EQ(ListBackups(Folder())->size(), 1u);
}

TEST_F(KeepBackup, ADamagedBackupIsNotRestored) {
  const Uuid run = MakeRun();
  auto stream = OpenStream(Opening(run));
  ASSERT_TRUE(stream->Declare(0, {"loss"}).ok());
  stream->Append(Rows(0, 0, kRows));
  ASSERT_TRUE(stream->observer->WaitFor(0, kRows));
  stream->session.reset();
  ASSERT_TRUE(engine_->Flush().ok());
  ASSERT_TRUE(engine_->Backup({.path = Folder()}).ok());
  for (const auto& f :
       std::filesystem::recursive_directory_iterator(Folder())) {
    if (f.path().extension() != ".sst") continue;
    std::fstream file(f.path(),
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(10);
    file.put('!');
  }
  const std::string data_dir = dir_.path() + "/restored";
  const auto restored = RestoreBackup({.from = Folder(), .data_dir = data_dir});
  EXPECT_TRUE(absl::IsDataLoss(restored.status())) << restored.status();
  EXPECT_FALSE(std::filesystem::exists(data_dir));
}

TEST_F(KeepBackup, RefusesWhatCannotBeMeant) {
  EXPECT_TRUE(absl::IsInvalidArgument(engine_->Backup({.path = "b"}).status()));
  EXPECT_TRUE(absl::IsNotFound(ListBackups(dir_.path() + "/none").status()));
  EXPECT_FALSE(std::filesystem::exists(dir_.path() + "/none"));
  ASSERT_TRUE(engine_->Backup({.path = Folder()}).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(
      RestoreBackup({.from = Folder(), .data_dir = Options().data_dir})
          .status()));
  EXPECT_TRUE(absl::IsNotFound(
      RestoreBackup(
          {.from = Folder(), .id = 9, .data_dir = dir_.path() + "/new"})
          .status()));
}

}  // namespace
}  // namespace waterflow::storage
