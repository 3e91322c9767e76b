// The memory limit: what it is by default, and that it holds.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "storage/model/machine_memory.h"
#include "storage/model/memory_plan.h"
#include "tests/unit/engine_fixture.h"

namespace waterflow::storage {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kGiB = 1 << 30;

// A machine of 16 GiB, as files.
class FakeMachine {
 public:
  FakeMachine() {
    Write("proc/meminfo",
          "MemTotal:       16777216 kB\nMemFree:        1000 kB\n");
  }
  void Write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = dir_.path() + "/" + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  uint64_t bytes() const { return MachineMemoryBytes(dir_.path()); }

 private:
  TempDir dir_;
};

TEST(MachineMemory, WithoutControlGroupsItIsTheMachine) {
  FakeMachine machine;
  EXPECT_EQ(machine.bytes(), 16 * kGiB);
}

TEST(MachineMemory, VersionTwoLimitsByTheGroupAndThoseAbove) {
  FakeMachine machine;
  machine.Write("proc/self/cgroup", "0::/pod/box\n");
  machine.Write("sys/fs/cgroup/pod/box/memory.max", "max\n");
  EXPECT_EQ(machine.bytes(), 16 * kGiB);
  machine.Write("sys/fs/cgroup/pod/memory.max", "4294967296\n");
  EXPECT_EQ(machine.bytes(), 4 * kGiB);
  machine.Write("sys/fs/cgroup/pod/box/memory.max", "1073741824\n");
  EXPECT_EQ(machine.bytes(), 1 * kGiB);
  machine.Write("sys/fs/cgroup/pod/box/memory.max", "99999999999999\n");
  EXPECT_EQ(machine.bytes(), 4 * kGiB);
}

TEST(MachineMemory, VersionOneLimitsInsideAContainerToo) {
  FakeMachine machine;
  // The path is the host's; the container sees its own group as the root.
  machine.Write("proc/self/cgroup",
                "5:cpu,cpuacct:/x\n4:memory:/docker/abc\n0::/\n");
  machine.Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "2147483648\n");
  EXPECT_EQ(machine.bytes(), 2 * kGiB);
  // "No limit" of version 1.
  machine.Write("sys/fs/cgroup/memory/memory.limit_in_bytes",
                "9223372036854771712\n");
  EXPECT_EQ(machine.bytes(), 16 * kGiB);
}

TEST(MachineMemory, NothingKnownIsZeroAndTheDefaultIsAQuarter) {
  const TempDir empty;
  EXPECT_EQ(MachineMemoryBytes(empty.path()), 0u);
  EXPECT_EQ(DefaultMemoryLimitBytes(), MachineMemoryBytes() / 4);
}

TEST(MemoryPlan, SharesAddUpToTheLimit) {
  for (const uint64_t limit : {32 * kMiB, 64 * kMiB, 100 * kMiB, 512 * kMiB,
                               kGiB, 3 * kGiB, 8 * kGiB, 64 * kGiB}) {
    EXPECT_EQ(PlanMemory(limit).total(), limit) << limit;
  }
  // The numbers of docs/limits.md.
  const MemoryPlan least = PlanMemory(0);
  EXPECT_EQ(least.seal_bytes, kMiB);
  EXPECT_EQ(least.log_memtable_bytes, 8 * kMiB);
  EXPECT_EQ(least.small_memtable_bytes, 256u << 10);
  EXPECT_EQ(least.cache_bytes, kMiB);
  const MemoryPlan most = PlanMemory(1024 * kGiB);
  EXPECT_EQ(most.seal_bytes, 64 * kMiB);
  EXPECT_EQ(most.log_memtable_bytes, 512 * kMiB);
  EXPECT_EQ(most.small_memtable_bytes, 4 * kMiB);
}

class KeepMemory : public EngineTest {};

TEST_F(KeepMemory, HeadsMemtablesAndCachesStayBelowTheLimit) {
  constexpr uint64_t kLimit = 32 * kMiB;
  options_.memory_limit_bytes = kLimit;
  Reopen();
  const Uuid run = MakeRun();
  auto stream = OpenStream(Opening(run));
  ASSERT_TRUE(stream.ok());
  ASSERT_TRUE(stream->Declare(0, {"loss"}).ok());
  constexpr uint32_t kRows = 32768;
  uint64_t most = 0;
  const auto look = [&] {
    const EngineStats stats = engine_->Stats();
    EXPECT_EQ(stats.memory_limit_bytes, kLimit);
    most = std::max(
        most, stats.unsealed_bytes + stats.memtable_bytes + stats.cache_bytes);
  };
  // Three times the limit.
  for (uint64_t row = 0; row * 24 < 3 * kLimit; row += kRows) {
    stream->Append(Rows(0, row, kRows));
    ASSERT_TRUE(stream->observer->WaitFor(0, row + kRows));
    look();
  }
  for (int pass = 0; pass < 3; ++pass) {
    ReadRaw(run, "loss");
    look();
  }
  EXPECT_LE(most, kLimit);
  EXPECT_GT(most, kLimit / 8) << "measures nothing";
}

}  // namespace
}  // namespace waterflow::storage
