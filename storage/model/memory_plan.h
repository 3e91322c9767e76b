// Who gets how much of --memory-limit. The shares are worst cases and add up
// to the limit, if that is 32 MiB or more; below, the least that works is
// taken.
//
//   heads            2 x 1/8: those that fill, and those that are being sealed
//   log memtable     2 x 1/4: the one that fills, and the one being flushed
//   other memtables  6 x 1/64
//   search           1/32: columns of the run index
//   block cache      the rest, with the files' indexes in it
//
// Outside of it: batches on their way to the disk (docs/limits.md), what
// queries hold, gRPC's own.
#ifndef WATERFLOW_STORAGE_MODEL_MEMORY_PLAN_H_
#define WATERFLOW_STORAGE_MODEL_MEMORY_PLAN_H_

#include <algorithm>
#include <cstdint>

namespace waterflow::storage {

struct MemoryPlan {
  // Heads are sealed at this size; ingest waits at twice that.
  uint64_t seal_bytes = 0;
  uint64_t log_memtable_bytes = 0;
  uint64_t small_memtable_bytes = 0;  // of meta, catalog and latest
  uint64_t search_bytes = 0;
  uint64_t cache_bytes = 0;

  uint64_t total() const {
    return 2 * seal_bytes + 2 * log_memtable_bytes + 6 * small_memtable_bytes +
           search_bytes + cache_bytes;
  }
};

inline MemoryPlan PlanMemory(uint64_t limit_bytes) {
  constexpr uint64_t kMiB = 1 << 20;
  MemoryPlan plan;
  // Larger heads make no better chunks. A longer log saves nothing (64-row
  // floods: 22.0 ns a sample with 1 GiB, 21.9 with 512 MiB) and makes the next
  // start slower, which reads all of it.
  plan.seal_bytes = std::clamp<uint64_t>(limit_bytes / 8, kMiB, 64 * kMiB);
  plan.log_memtable_bytes =
      std::clamp<uint64_t>(limit_bytes / 4, 8 * kMiB, 512 * kMiB);
  plan.small_memtable_bytes =
      std::clamp<uint64_t>(limit_bytes / 64, kMiB / 4, 4 * kMiB);
  // A column of 100,000 runs takes 2 MB; who searches asks for a few.
  plan.search_bytes = std::clamp<uint64_t>(limit_bytes / 32, kMiB, 128 * kMiB);
  const uint64_t taken = plan.total();
  plan.cache_bytes =
      std::max(limit_bytes > taken ? limit_bytes - taken : 0, kMiB);
  return plan;
}

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_MODEL_MEMORY_PLAN_H_
