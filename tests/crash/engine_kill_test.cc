// SIGKILL, some thousand times: a child process runs the engine and is killed
// at a random moment, or kills itself at a named point. The next child opens
// what is left, compares it with what clients were told, and goes on.
//
// WATERFLOW_CRASH_SECONDS says for how long each test kills (default 40),
// WATERFLOW_CRASH_SEED repeats the choices of a run. Prints both.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <new>
#include <optional>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/crash/workload.h"
#include "tests/from_environment.h"
#include "tests/points.h"
#include "tests/power_loss_fs.h"

namespace waterflow::storage {
namespace {

// Outlives the child that writes it.
struct Shared {
  Journal journal;
  char wrong[2000] = {};
};

// When a child kills itself: at the n-th time it gets to a point.
struct KillAt {
  absl::string_view point;
  int n = 1;
};

// When a child's disk fails: at the n-th operation of a kind.
struct FailAt {
  PowerLossFileSystem::Op op;
  int n = 1;
  bool once = false;  // else for good
  bool full = false;  // ENOSPC, else EIO
};

constexpr PowerLossFileSystem::Op kOps[] = {
    PowerLossFileSystem::Op::kCreate, PowerLossFileSystem::Op::kAppend,
    PowerLossFileSystem::Op::kSync,   PowerLossFileSystem::Op::kRename,
    PowerLossFileSystem::Op::kLink,   PowerLossFileSystem::Op::kDelete,
    PowerLossFileSystem::Op::kSyncDir};

EngineOptions SmallStore(const std::string& dir) {
  EngineOptions options;
  options.data_dir = dir;
  options.memory_limit_bytes = 8 << 20;
  options.gather = absl::ZeroDuration();
  options.group_bytes = 16 << 10;
  options.seal_bytes = 24 << 10;
  return options;
}

// The child's life; never returns.
[[noreturn]] void Live(Shared* shared, const std::string& dir, uint64_t seed,
                       std::optional<KillAt> kill_at) {
  const auto fail = [shared](const std::string& wrong) {
    std::snprintf(shared->wrong, sizeof(shared->wrong), "%s", wrong.c_str());
    _exit(3);
  };
  std::atomic<int> left{kill_at.has_value() ? kill_at->n : 0};
  EngineOptions options = SmallStore(dir);
  options.gather = absl::Microseconds(seed % 3 * 200);
  if (kill_at.has_value()) {
    options.at_point = [&](absl::string_view point) {
      if (point == kill_at->point && left.fetch_sub(1) == 1) raise(SIGKILL);
    };
  }
  absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Open(options);
  if (!engine.ok()) fail("Open: " + engine.status().ToString());
  Workload workload(&shared->journal, seed,
                    {.strict = true, .hasty = kill_at.has_value()});
  std::string wrong = workload.Verify(engine->get(), dir);
  if (!wrong.empty()) fail("after open: " + wrong);
  for (int step = 0; step < 500; ++step) {
    wrong = workload.Step(engine->get());
    if (!wrong.empty()) fail(absl::StrCat("step ", step, ": ", wrong));
  }
  workload.DropSessions();
  engine->reset();
  _exit(0);
}

// A life on a disk that fails: some steps up to the fault and a little beyond.
[[noreturn]] void LiveOnFailingDisk(Shared* shared, const std::string& dir,
                                    uint64_t seed, const FailAt& fail_at) {
  std::atomic<int> left{fail_at.n};
  std::atomic<bool> met{false};
  auto disk = std::make_shared<PowerLossFileSystem>(dir);
  disk->SetFaults([&](PowerLossFileSystem::Op did, const std::string& file) {
    if (did != fail_at.op) return rocksdb::IOStatus::OK();
    const int at = left.fetch_sub(1);
    if (at > 1 || (fail_at.once && at < 1)) return rocksdb::IOStatus::OK();
    met = true;
    return fail_at.full ? rocksdb::IOStatus::NoSpace("disk is full", file)
                        : rocksdb::IOStatus::IOError("disk fails", file);
  });
  const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(disk);
  EngineOptions options = SmallStore(dir);
  options.env = env.get();
  absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Open(options);
  // Else it met the fault while it opened.
  if (engine.ok()) {
    Workload workload(&shared->journal, seed, {.strict = false, .hasty = true});
    int beyond = 25;
    for (int step = 0; step < 200 && beyond > 0; ++step) {
      const std::string wrong = workload.Step(engine->get());
      if (!wrong.empty()) {
        std::snprintf(shared->wrong, sizeof(shared->wrong), "%s",
                      wrong.c_str());
        _exit(3);
      }
      if (met) --beyond;
    }
    workload.DropSessions();
    engine->reset();
  }
  _exit(0);
}

class EngineKill : public ::testing::Test {
 protected:
  void SetUp() override {
    // SIGKILL spares what the kernel holds, so a disk adds nothing but time.
    if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 0);
    void* const memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    shared_ = new (memory) Shared;
    seed_ = FromEnvironment("WATERFLOW_CRASH_SEED", std::random_device()());
    random_.seed(seed_);
    end_ = absl::Now() + absl::Seconds(static_cast<int64_t>(
                             FromEnvironment("WATERFLOW_CRASH_SECONDS", 40)));
    dir_.emplace();
  }
  void TearDown() override {
    std::printf("%d lives, %d kills; once more: %s\n", lives_, kills_,
                ToRepeat("WATERFLOW_CRASH_SEED", seed_).c_str());
    munmap(shared_, sizeof(Shared));
  }

  bool GoesOn() const { return absl::Now() < end_ && !HasFailure(); }

  // One child: lives, is killed (after `after`, unless it does it itself).
  void Life(std::optional<KillAt> kill_at, absl::Duration after) {
    if (shared_->journal.full()) {
      dir_.emplace();
      new (shared_) Shared;
    }
    ++lives_;
    const uint64_t seed = random_();
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) Live(shared_, dir_->path(), seed, kill_at);
    if (!kill_at.has_value()) {
      absl::SleepFor(after);
      kill(child, SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
      EXPECT_EQ(WTERMSIG(status), SIGKILL) << "the engine crashed by itself";
      ++kills_;
      return;
    }
    EXPECT_EQ(WEXITSTATUS(status), 0)
        << shared_->wrong << "\nin life " << lives_ << " of seed " << seed_
        << (kill_at.has_value()
                ? absl::StrCat(", to end at ", kill_at->point, " ", kill_at->n)
                : "");
  }

  // One child whose disk fails. A RocksDB with its assertions on (Debian's) may
  // end it then (docs/design.md says where): a crash like others, after which
  // all that was acked must be there.
  void LifeOnFailingDisk(const FailAt& fail_at) {
    const uint64_t seed = random_();
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      LiveOnFailingDisk(shared_, dir_->path(), seed, fail_at);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
      EXPECT_EQ(WTERMSIG(status), SIGABRT) << "the engine crashed by itself";
      ++kills_;
      return;
    }
    EXPECT_EQ(WEXITSTATUS(status), 0) << shared_->wrong;
  }

  uint64_t Below(uint64_t n) { return random_() % n; }

  Shared* shared_ = nullptr;
  uint64_t seed_ = 0;
  std::mt19937_64 random_;
  absl::Time end_;
  std::optional<TempDir> dir_;
  int lives_ = 0;
  int kills_ = 0;
};

TEST_F(EngineKill, AtAnyMomentLosesNothingAckedAndDoublesNothing) {
  while (GoesOn()) Life(std::nullopt, absl::Microseconds(Below(60'000)));
}

TEST_F(EngineKill, AtEachNamedPointLosesNothingAckedAndDoublesNothing) {
  for (int n = 1; GoesOn(); n = n % 4 + 1) {
    for (const char* point : kPoints) {
      if (GoesOn()) Life(KillAt{point, n}, absl::ZeroDuration());
    }
  }
}

TEST_F(EngineKill, OnADiskThatFailsAtAnyOperationLosesNothingAcked) {
  end_ -= absl::Seconds(20);
  while (GoesOn()) {
    for (const auto op : kOps) {
      if (!GoesOn()) break;
      // Opening does some dozen of each; appends and syncs are many.
      const bool many = op == PowerLossFileSystem::Op::kAppend ||
                        op == PowerLossFileSystem::Op::kSync;
      const FailAt fail_at{.op = op,
                           .n = static_cast<int>(1 + Below(many ? 300 : 60)),
                           .once = Below(2) == 0,
                           .full = Below(2) == 0};
      SCOPED_TRACE(absl::StrCat(fail_at.full ? "ENOSPC" : "EIO",
                                fail_at.once ? " once" : " for good",
                                " from operation ", fail_at.n, " of kind ",
                                static_cast<int>(op), " on, seed ", seed_));
      LifeOnFailingDisk(fail_at);
      // On a disk that works: everything is compared.
      Life(std::nullopt, absl::Milliseconds(200));
    }
  }
}

}  // namespace
}  // namespace waterflow::storage
