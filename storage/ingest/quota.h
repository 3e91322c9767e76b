// What a project, and the server as a whole, may take in. Shared by all
// sessions of a project and read for each batch, so it is made of atomics.
#ifndef WATERFLOW_STORAGE_INGEST_QUOTA_H_
#define WATERFLOW_STORAGE_INGEST_QUOTA_H_

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>

namespace waterflow::storage {

// A bound on rows per second that any thread draws from without a lock. One
// number says it all: when the rows taken so far would be through at this rate
// (the "theoretical arrival time" of the generic cell rate algorithm). Nothing
// is refused: who took too much waits until it is through. A second's worth may
// come at once.
class RowRate {
 public:
  static constexpr int64_t kBurstNs = 1'000'000'000;

  // Of a clock that never jumps.
  static int64_t Now() {
    return std::chrono::steady_clock::now().time_since_epoch() /
           std::chrono::nanoseconds(1);
  }

  // 0: no limit. Forgives what was taken too much before.
  void SetLimit(uint64_t rows_per_second) {
    if (rows_per_second == limit()) return;
    limit_.store(rows_per_second, std::memory_order_relaxed);
    through_ns_.store(0, std::memory_order_relaxed);
  }
  uint64_t limit() const { return limit_.load(std::memory_order_relaxed); }

  void Take(uint64_t rows) {
    if (limit() != 0) Take(rows, Now());
  }
  void Take(uint64_t rows, int64_t now_ns) {
    const uint64_t limit = this->limit();
    if (limit == 0) return;
    const auto cost = static_cast<int64_t>(static_cast<double>(rows) * 1e9 /
                                           static_cast<double>(limit));
    int64_t through = through_ns_.load(std::memory_order_relaxed);
    while (!through_ns_.compare_exchange_weak(
        through, std::max(through, now_ns) + cost, std::memory_order_relaxed)) {
    }
  }

  // How long until more may be taken, in nanoseconds; 0: now.
  int64_t Wait() const { return limit() == 0 ? 0 : Wait(Now()); }
  int64_t Wait(int64_t now_ns) const {
    return std::max<int64_t>(
        through_ns_.load(std::memory_order_relaxed) - now_ns - kBurstNs, 0);
  }

 private:
  std::atomic<uint64_t> limit_{0};
  std::atomic<int64_t> through_ns_{0};
};

struct ProjectQuota {
  RowRate rows;
  // What its runs took in files at the last look, and whether that is more than
  // it may: then no rows are taken.
  std::atomic<uint64_t> disk_bytes{0};
  std::atomic<bool> disk_full{false};
};

// What a session draws from.
struct SessionQuota {
  std::shared_ptr<ProjectQuota> project;
  RowRate* server = nullptr;

  void Take(uint64_t rows) const {
    project->rows.Take(rows);
    server->Take(rows);
  }
  int64_t Wait() const {
    return std::max(project->rows.Wait(), server->Wait());
  }
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_INGEST_QUOTA_H_
