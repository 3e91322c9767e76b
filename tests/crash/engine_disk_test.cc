// A disk that loses power at each named point, and one that fails (EIO, ENOSPC)
// at each kind of operation, once or for good: what was acked is on it. The
// engine that met the fault may refuse work; the one that opens the disk again
// must know everything.
//
// WATERFLOW_CRASH_SECONDS says for how long each test goes on (default 15),
// WATERFLOW_CRASH_SEED repeats the choices of a run.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <optional>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/crash/workload.h"
#include "tests/from_environment.h"
#include "tests/points.h"
#include "tests/power_loss_fs.h"

namespace waterflow::storage {
namespace {

using Op = PowerLossFileSystem::Op;

class EngineDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    seed_ = FromEnvironment("WATERFLOW_CRASH_SEED", std::random_device()());
    random_.seed(seed_);
    end_ = absl::Now() + absl::Seconds(static_cast<int64_t>(
                             FromEnvironment("WATERFLOW_CRASH_SECONDS", 15)));
    Renew();
  }
  void TearDown() override {
    std::printf("%d lives, %d faults met; once more: %s\n", lives_,
                faults_.load(),
                ToRepeat("WATERFLOW_CRASH_SEED", seed_).c_str());
  }

  bool GoesOn() const { return absl::Now() < end_ && !HasFailure(); }
  uint64_t Below(uint64_t n) { return random_() % n; }

  void Renew() {
    env_.reset();
    disk_.reset();
    dir_.emplace();
    disk_ = std::make_shared<PowerLossFileSystem>(dir_->path() + "/data");
    env_ = rocksdb::NewCompositeEnv(disk_);
    journal_.emplace();
  }

  absl::StatusOr<std::unique_ptr<Engine>> Open(
      std::function<void(absl::string_view)> at_point) {
    EngineOptions options;
    options.data_dir = dir_->path() + "/data";
    options.env = env_.get();
    options.memory_limit_bytes = 8 << 20;
    options.gather = absl::ZeroDuration();
    options.group_bytes = 16 << 10;
    options.seal_bytes = 24 << 10;
    options.at_point = std::move(at_point);
    return Engine::Open(options);
  }

  // One life: some steps, in which the fault should be met, then the power goes
  // and what is on the disk is compared.
  void Life(const std::string& what,
            std::function<void(absl::string_view)> at_point) {
    SCOPED_TRACE(
        absl::StrCat("life ", ++lives_, " of seed ", seed_, ": ", what));
    // Where it is seen also when the process dies.
    if (lives_ == 1) {
      std::fprintf(stderr, "%s\n",
                   ToRepeat("WATERFLOW_CRASH_SEED", seed_).c_str());
    }
    if (journal_->full()) Renew();
    const int met_before = faults_;
    {
      auto engine = Open(std::move(at_point));
      if (engine.ok()) {
        Workload workload(&*journal_, random_(),
                          {.strict = false, .hasty = true});
        // Until the fault, and a little beyond.
        int beyond = 25;
        for (int step = 0; step < 200 && beyond > 0; ++step) {
          const std::string wrong = workload.Step(engine->get());
          ASSERT_EQ(wrong, "");
          if (faults_ > met_before) --beyond;
        }
        workload.DropSessions();
      }
      // Else it met the fault while it opened.
    }
    disk_->SetFaults(nullptr);
    disk_->Freeze();
    disk_->Crash(static_cast<Torn>(Below(3)), random_());
    auto engine = Open(nullptr);
    ASSERT_TRUE(engine.ok()) << engine.status();
    Workload workload(&*journal_, random_(), {});
    ASSERT_EQ(workload.Verify(engine->get(), dir_->path() + "/data"), "");
    // And it goes on.
    for (int step = 0; step < 5; ++step) {
      ASSERT_EQ(workload.Step(engine->get()), "");
    }
    workload.DropSessions();
  }

  uint64_t seed_ = 0;
  std::mt19937_64 random_;
  absl::Time end_;
  std::optional<TempDir> dir_;
  std::shared_ptr<PowerLossFileSystem> disk_;
  std::unique_ptr<rocksdb::Env> env_;
  std::optional<Journal> journal_;
  std::atomic<int> faults_{0};
  int lives_ = 0;
};

TEST_F(EngineDisk, APowerCutAtEachNamedPointKeepsWhatWasAcked) {
  for (int n = 1; GoesOn(); n = n % 4 + 1) {
    for (const char* point : kPoints) {
      if (!GoesOn()) break;
      std::atomic<int> left{n};
      Life(absl::StrCat(point, " for the ", n, ". time"),
           [&](absl::string_view reached) {
             if (reached != point || left.fetch_sub(1) != 1) return;
             disk_->Freeze();
             ++faults_;
           });
    }
  }
}

// A MANIFEST that could not be written while a merge dropped what it had
// replaced. RocksDB 7.8.3 goes on by itself, and ingests under the file number
// 0 then (or dies of its assertions).
TEST_F(EngineDisk, FilesThatCouldNotBeDroppedSpoilNoLaterSeal) {
  std::atomic<bool> armed{false};
  auto engine = Open([&](absl::string_view point) {
    if (point != "merge:after_commit" || !armed.exchange(false)) return;
    disk_->SetFaults([&](Op, const std::string& file) {
      if (!absl::StrContains(file, "MANIFEST")) return rocksdb::IOStatus::OK();
      ++faults_;
      return rocksdb::IOStatus::NoSpace("disk is full", file);
    });
  });
  ASSERT_TRUE(engine.ok()) << engine.status();
  const auto log = [&](uint8_t number) {
    CreateRunOptions run;
    run.id.emplace().bytes[0] = number;
    ASSERT_TRUE((*engine)->CreateRun(run).ok());
    StreamOptions opening;
    opening.run = *run.id;
    opening.stream.bytes[0] = 1;
    TestStream stream;
    ASSERT_TRUE(OpenAndWait(engine->get(), opening, &stream).ok());
    ASSERT_TRUE(stream.Declare(0, {"loss"}).ok());
    const std::vector<double> values(1000, 1.5);
    stream.Append(BatchBuilder(0, 0, 1000).Float64(0, values).Build());
    ASSERT_TRUE(stream.observer->WaitFor(0, 1000));
    stream.session.reset();
  };
  log(1);
  log(2);
  ASSERT_TRUE((*engine)->Flush().ok());
  armed = true;
  Uuid first;
  first.bytes[0] = 1;
  ASSERT_TRUE((*engine)->DeleteRun(first).ok());
  absl::SleepFor(absl::Seconds(5));
  ASSERT_GT(faults_, 0);
  disk_->SetFaults(nullptr);
  absl::SleepFor(absl::Seconds(3));
  log(3);
  ASSERT_TRUE((*engine)->Flush().ok());
  engine->reset();
  engine = Open(nullptr);
  ASSERT_TRUE(engine.ok()) << engine.status();
  EXPECT_EQ((*engine)->Stats().rows, 2000u);
  VerifyObserver observer;
  observer.problem = [](const VerifyProblem& problem) {
    ADD_FAILURE() << problem.ToLine();
  };
  EXPECT_TRUE((*engine)->Verify(observer).ok());
}

TEST_F(EngineDisk, ALogWriteWhoseSyncFailedIsNeverReplayedBesideItsRepetition) {
  // From the first sync after an open on, when no memtable holds anything and
  // RocksDB sees no reason for a new log.
  for (int n = 1; n <= 12 && !HasFailure(); ++n) {
    std::atomic<int> left{n};
    Life(absl::StrCat("ENOSPC once at sync ", n, " of a log"),
         [&, armed = false](absl::string_view point) mutable {
           if (point != "recover:after_replay" || armed) return;
           armed = true;
           disk_->SetFaults([&](Op did, const std::string& file) {
             if (did != Op::kSync || !absl::EndsWith(file, ".log") ||
                 left.fetch_sub(1) != 1) {
               return rocksdb::IOStatus::OK();
             }
             ++faults_;
             return rocksdb::IOStatus::NoSpace("disk is full", file);
           });
         });
  }
}

}  // namespace
}  // namespace waterflow::storage
