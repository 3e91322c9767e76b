// The sealer: a thread that turns heads into generations, when they reach their
// share of memory, when they get old, when a run was deleted, or on demand. A
// seal takes all heads up to one position of the log and makes them visible,
// moves that position in one synced write, and then trims the log.
#ifndef WATERFLOW_STORAGE_INGEST_SEALER_H_
#define WATERFLOW_STORAGE_INGEST_SEALER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/database/database.h"
#include "storage/ingest/live_state.h"
#include "storage/ingest/log.h"
#include "storage/model/mutex.h"

namespace waterflow::storage {

class Sealer {
 public:
  struct Stats {
    uint64_t seals = 0;
    uint64_t cpu_ns = 0;
    uint64_t bytes = 0;  // written
  };

  // `sealed` is called behind each seal, on the sealer's thread.
  Sealer(const EngineOptions& options, Database* database, Log* log,
         LiveState* state, std::function<void()> sealed);
  ~Sealer();

  void Start();
  void Stop();

  // Bytes of heads at which they are sealed; ingest waits at twice as much.
  size_t seal_bytes() const { return seal_bytes_; }
  // Looks whether there is reason to seal.
  void Wake();
  // Blocks while heads are full. RESOURCE_EXHAUSTED when they stay so because
  // seals fail.
  absl::Status WaitForRoom();
  // Seals what is there now; returns its rows.
  absl::StatusOr<uint64_t> SealNow();
  Stats stats() const { return {seals_.load(), cpu_ns_.load(), bytes_.load()}; }

 private:
  void Run();
  bool Due();
  // Seals until a position is settled; what was taken stays taken over
  // failures.
  absl::Status Seal();
  absl::StatusOr<std::shared_ptr<const Generation>> WriteGeneration(
      const Unsealed& unsealed);
  // Makes the generation (null: there is none) and all that goes with it the
  // truth, on disk and for readers.
  absl::Status CommitSeal(std::shared_ptr<const Generation> generation);
  // Lets go of logs that hold deleted rows, soon after deletes but not for
  // each of many.
  void ReleaseLogs();

  const EngineOptions options_;
  Database* const database_;
  Log* const log_;
  LiveState* const state_;
  const size_t seal_bytes_;
  const std::function<void()> sealed_;

  Mutex mutex_;
  CondVar wake_;     // for the thread
  CondVar settled_;  // for those who wait for it
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t wanted_ ABSL_GUARDED_BY(mutex_) = 0;  // seals asked for by SealNow
  uint64_t done_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t done_rows_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status last_ ABSL_GUARDED_BY(mutex_);  // of the last attempt

  std::atomic<uint64_t> seals_{0};
  std::atomic<uint64_t> cpu_ns_{0};
  std::atomic<uint64_t> bytes_{0};

  // The thread's own:
  std::shared_ptr<const Unsealed> unsealed_;  // being sealed
  bool logs_due_ = false;  // runs were deleted since they were released
  absl::Time logs_released_ = absl::InfinitePast();
  std::thread thread_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_INGEST_SEALER_H_
