// How often the way of a batch, from the session over the log to the heads,
// asks the heap: a program of its own, which counts.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "absl/strings/match.h"
#include "storage/database/rocksdb_build.h"
#include "tests/unit/engine_fixture.h"

namespace waterflow::storage {
namespace {

std::atomic<uint64_t>& Allocations() {
  static std::atomic<uint64_t> count{0};
  return count;
}

void* CountedAllocate(size_t bytes) {
  Allocations().fetch_add(1, std::memory_order_relaxed);
  if (void* const memory = std::malloc(bytes)) return memory;
  std::abort();
}

}  // namespace
}  // namespace waterflow::storage

// Of every thread and library of this process; the others of their kind call
// these.
void* operator new(size_t bytes) {
  return waterflow::storage::CountedAllocate(bytes);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace waterflow::storage {
namespace {

class Allocation : public EngineTest {
 protected:
  void SetUp() override {
    EngineOptions options = Options();
    options.gather = absl::Milliseconds(20);  // few groups, whatever the disk
    auto engine = Engine::Open(options);
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
  }

  // Appends batches of one row and 100 metrics and waits until they are
  // durable; the fewest allocations a batch of three rounds, bodies included.
  // (A seal or a flush of RocksDB's may come in between.)
  double PerBatch(uint32_t streams, uint32_t batches) {
    const Uuid run = MakeRun();
    std::vector<std::string> names;
    for (int m = 0; m < 100; ++m) names.push_back(absl::StrCat("m", m));
    std::vector<TestStream> open;
    for (uint32_t s = 0; s < streams; ++s) {
      auto stream = OpenStream(Opening(run, s));
      EXPECT_TRUE(stream.ok()) << stream.status();
      EXPECT_TRUE(stream->Declare(0, names).ok());
      open.push_back(*std::move(stream));
    }
    double best = 1e9;
    uint32_t row = 0;
    for (int round = 0; round < 4; ++round) {
      std::vector<std::string> bodies;
      for (uint32_t b = 0; b < batches; ++b) {
        const std::vector<double> values(100, row + b);
        BatchBuilder batch(0, row + b, 1);
        const std::vector<int64_t> step = {row + b};
        batch.Steps(step).Times(step);
        for (uint32_t m = 0; m < 100; ++m) batch.Float64(m, {&values[m], 1});
        bodies.push_back(batch.Build());
      }
      row += batches;
      const uint64_t before = Allocations();
      for (const std::string& body : bodies) {
        for (TestStream& stream : open) {
          EXPECT_FALSE(stream.Append(body).has_value());
        }
      }
      for (TestStream& stream : open) {
        EXPECT_TRUE(stream.observer->WaitFor(0, row));
      }
      const double per_batch =
          static_cast<double>(Allocations() - before) / (batches * streams);
      std::printf("%u streams: %.3f allocations a batch\n", streams, per_batch);
      if (round > 0) best = std::min(best, per_batch);
    }
    for (TestStream& stream : open) stream.session.reset();
    return best;
  }
};

// The copy of its bytes, and what groups of batches need divided among them.
// A RocksDB with its assertions on makes strings for its test hooks whenever it
// appends to a file.
TEST_F(Allocation, ABatchAsksTheHeapOnceForItsBytes) {
  const bool strings = absl::StrContains(RocksDbName(), "assertions on");
  EXPECT_LE(PerBatch(64, 200), strings ? 2.2 : 1.1);
}

}  // namespace
}  // namespace waterflow::storage
