// Readers beside a writer whose heads are sealed all the time: what was acked
// before a read began is in its answer, once and in order, whatever moves from
// heads to generations meanwhile.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "tests/crash/workload.h"
#include "tests/from_environment.h"

namespace waterflow::storage {
namespace {

TEST(Readers, SeeEachAckedRowOnceWhileSealsAndDeletesGoOn) {
  const uint64_t seed =
      FromEnvironment("WATERFLOW_MODEL_SEED", std::random_device()());
  SCOPED_TRACE(ToRepeat("WATERFLOW_MODEL_SEED", seed));
  const TempDir dir;
  EngineOptions options;
  options.data_dir = dir.path() + "/data";
  options.memory_limit_bytes = 8 << 20;
  options.gather = absl::ZeroDuration();
  options.group_bytes = 4 << 10;
  options.seal_bytes = 8 << 10;
  auto engine = Engine::Open(options);
  ASSERT_TRUE(engine.ok()) << engine.status();
  Journal journal;
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::string wrong;
  std::atomic<uint64_t> reads{0};
  std::vector<std::thread> readers;
  for (uint64_t reader = 0; reader < 3; ++reader) {
    readers.emplace_back([&, reader] {
      std::mt19937_64 random(seed + reader);
      while (!stop) {
        const uint32_t made = journal.next_run;
        if (made == 0) continue;
        const auto run = static_cast<uint32_t>(
            made - 1 - random() % std::min<uint32_t>(made, 4));
        if (journal.runs[run].state != Journal::kLive) continue;
        const std::string found = Workload::CheckReads(
            engine->get(), journal, run,
            static_cast<uint32_t>(random() % kWorkersOfRun));
        ++reads;
        if (found.empty()) continue;
        const std::lock_guard<std::mutex> lock(mutex);
        wrong = "run " + std::to_string(run) + ": " + found;
        stop = true;
      }
    });
  }
  Workload writer(&journal, seed, {});
  for (int step = 0; step < 2500 && !stop && !journal.full(); ++step) {
    const std::string failed = writer.Step(engine->get());
    EXPECT_EQ(failed, "");
    if (!failed.empty()) stop = true;
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, "");
  std::printf("%llu reads, %llu seals\n",
              static_cast<unsigned long long>(reads.load()),
              static_cast<unsigned long long>((*engine)->Stats().seals));
  writer.DropSessions();
}

}  // namespace
}  // namespace waterflow::storage
