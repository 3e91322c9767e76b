// The merger: a thread that joins generations of small chunks into larger ones
// (merge_plan.h says which), and drops the files of those it replaced. What
// compaction is to an LSM; RocksDB's own has nothing to do.
//
// A merge writes its generation to files of its own, ingests them, and makes
// the change in one synced write: {the new one exists, the old ones are gone}.
// Dying anywhere before leaves the old ones, after it the new one; at open,
// generations that meta does not name are dropped. Readers keep the generations
// of their snapshot: files go when the last of them has let go.
//
// A deleted run's rows are left out. Those of a run that is deleted while the
// merge has read it already are in the new generation, listed and dead like
// others, until that is merged or written anew.
#ifndef WATERFLOW_STORAGE_KEEP_MERGER_H_
#define WATERFLOW_STORAGE_KEEP_MERGER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "storage/database/database.h"
#include "storage/ingest/generation_writer.h"
#include "storage/ingest/live_state.h"
#include "storage/keep/merge_plan.h"
#include "storage/model/mutex.h"

namespace waterflow::storage {

class Merger {
 public:
  struct Stats {
    uint64_t merges = 0;
    uint64_t cpu_ns = 0;
    uint64_t bytes = 0;  // written
  };

  Merger(const EngineOptions& options, Database* database, LiveState* state);
  ~Merger();

  void Start();
  void Stop();
  // Looks whether generations have come due.
  void Wake();
  // Merges all that is worth it and drops what was replaced. UNAVAILABLE when
  // the merger stops; DATA_LOSS when a block cannot be read: its generation
  // then stays as it is.
  absl::Status MergeNow();
  Stats stats() const {
    return {merges_.load(), cpu_ns_.load(), bytes_.load()};
  }

 private:
  using Generations = std::vector<std::shared_ptr<const Generation>>;

  void Run();
  // Merges until nothing is due; with `settle`, until nothing is worth it.
  absl::Status MergeAll(bool settle);
  std::vector<GenerationShape> Shapes(const Generations& generations) const;
  absl::Status Merge(const Generations& parts, uint32_t level);
  absl::Status WriteParts(const Generations& parts, GenerationWriter* writer);
  // Null: nothing of the parts is left.
  absl::Status Commit(const Generations& parts,
                      std::shared_ptr<const Generation> merged);
  // Drops retired generations that nobody reads any more.
  void DropRetired();
  // False when some of its keys are still there.
  bool DropFiles(GenerationId generation);

  Database* const database_;
  LiveState* const state_;
  const MergePolicy policy_;

  Mutex mutex_;
  CondVar wake_;     // for the thread
  CondVar settled_;  // for those who wait for it
  std::atomic<bool> stopping_{false};
  bool woken_ ABSL_GUARDED_BY(mutex_) = true;    // look once at start
  uint64_t wanted_ ABSL_GUARDED_BY(mutex_) = 0;  // asked for by MergeNow
  uint64_t done_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status last_ ABSL_GUARDED_BY(mutex_);  // of the last one asked for

  std::atomic<uint64_t> merges_{0};
  std::atomic<uint64_t> cpu_ns_{0};
  std::atomic<uint64_t> bytes_{0};

  // The thread's own:
  Generations retired_;
  absl::flat_hash_set<GenerationId> damaged_;  // not touched again
  std::thread thread_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_KEEP_MERGER_H_
