// A disk that loses power at each named point, and one that fails (EIO, ENOSPC)
// at some operations: what was acked is on it. The engine that met the fault
// may refuse work; the one that opens the disk again must know everything.
//
// Lives are led in child processes, because a RocksDB with its assertions on
// (Debian's) may end its process on a disk that fails (docs/design.md says
// where). What the disk had not synced is known to that process alone, so its
// store is given up then; engine_kill_test looks into those.
//
// WATERFLOW_CRASH_SECONDS says for how long each test goes on (default 15),
// WATERFLOW_CRASH_SEED repeats the choices of a run.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <functional>
#include <new>
#include <optional>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/database/rocksdb_build.h"
#include "tests/crash/workload.h"
#include "tests/from_environment.h"
#include "tests/points.h"
#include "tests/power_loss_fs.h"

namespace waterflow::storage {
namespace {

using Op = PowerLossFileSystem::Op;

// Of all children.
struct Counts {
  std::atomic<int> lives{0};
  std::atomic<int> faults{0};
};

class EngineDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    void* const memory = mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    counts_ = new (memory) Counts;
    seed_ = FromEnvironment("WATERFLOW_CRASH_SEED", std::random_device()());
    random_.seed(seed_);
    end_ = absl::Now() + absl::Seconds(static_cast<int64_t>(
                             FromEnvironment("WATERFLOW_CRASH_SECONDS", 15)));
  }
  void TearDown() override {
    std::printf("%d lives, %d faults met, %d children ended by assertions; ",
                counts_->lives.load(), counts_->faults.load(), aborted_);
    std::printf("once more: %s\n",
                ToRepeat("WATERFLOW_CRASH_SEED", seed_).c_str());
    munmap(counts_, sizeof(Counts));
  }

  // Runs `lives` on a new store in a process of its own.
  void InChild(const std::function<void()>& lives) {
    const TempDir dir;
    dir_ = dir.path();
    const uint64_t seed = random_();
    std::fflush(nullptr);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      random_.seed(seed);
      Renew();
      lives();
      std::fflush(nullptr);
      _exit(HasFailure() ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT &&
        absl::StrContains(RocksDbName(), "assertions on")) {
      ++aborted_;
      return;
    }
    EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0) << "see above; seed " << seed_;
  }

  bool GoesOn() const { return absl::Now() < end_ && !HasFailure(); }
  uint64_t Below(uint64_t n) { return random_() % n; }

  void Renew() {
    env_.reset();
    disk_.reset();
    data_dir_ = absl::StrCat(dir_, "/", ++stores_);
    disk_ = std::make_shared<PowerLossFileSystem>(data_dir_);
    env_ = rocksdb::NewCompositeEnv(disk_);
    journal_.emplace();
  }

  absl::StatusOr<std::unique_ptr<Engine>> Open(
      std::function<void(absl::string_view)> at_point) {
    EngineOptions options;
    options.data_dir = data_dir_;
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
    SCOPED_TRACE(absl::StrCat("life ", ++counts_->lives, " of seed ", seed_,
                              ": ", what));
    if (journal_->full()) Renew();
    const int met_before = counts_->faults;
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
          if (counts_->faults > met_before) --beyond;
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
    ASSERT_EQ(workload.Verify(engine->get(), data_dir_), "");
    // And it goes on.
    for (int step = 0; step < 5; ++step) {
      ASSERT_EQ(workload.Step(engine->get()), "");
    }
    workload.DropSessions();
  }

  uint64_t seed_ = 0;
  std::mt19937_64 random_;
  absl::Time end_;
  Counts* counts_ = nullptr;
  int aborted_ = 0;
  // Of the child at hand.
  std::string dir_;
  int stores_ = 0;
  std::string data_dir_;
  std::shared_ptr<PowerLossFileSystem> disk_;
  std::unique_ptr<rocksdb::Env> env_;
  std::optional<Journal> journal_;
};

TEST_F(EngineDisk, APowerCutAtEachNamedPointKeepsWhatWasAcked) {
  for (int n = 1; GoesOn(); n = n % 4 + 1) {
    InChild([&] {
      for (const char* point : kPoints) {
        if (!GoesOn()) break;
        std::atomic<int> left{n};
        Life(absl::StrCat(point, " for the ", n, ". time"),
             [&](absl::string_view reached) {
               if (reached != point || left.fetch_sub(1) != 1) return;
               disk_->Freeze();
               ++counts_->faults;
             });
      }
    });
  }
}

// A MANIFEST that could not be written while a merge dropped what it had
// replaced. RocksDB 7.8.3 goes on by itself, and ingests under the file number
// 0 then (or dies of its assertions).
TEST_F(EngineDisk, FilesThatCouldNotBeDroppedSpoilNoLaterSeal) {
  InChild([&] {
    std::atomic<bool> armed{false};
    auto engine = Open([&](absl::string_view point) {
      if (point != "merge:after_commit" || !armed.exchange(false)) return;
      disk_->SetFaults([&](Op, const std::string& file) {
        if (!absl::StrContains(file, "MANIFEST"))
          return rocksdb::IOStatus::OK();
        ++counts_->faults;
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
    ASSERT_GT(counts_->faults, 0);
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
  });
}

TEST_F(EngineDisk, ALogWriteWhoseSyncFailedIsNeverReplayedBesideItsRepetition) {
  // From the first sync after an open on, when no memtable holds anything and
  // RocksDB sees no reason for a new log.
  for (int n = 1; n <= 12 && !HasFailure(); ++n)
    InChild([&] {
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
               ++counts_->faults;
               return rocksdb::IOStatus::NoSpace("disk is full", file);
             });
           });
    });
}

}  // namespace
}  // namespace waterflow::storage
