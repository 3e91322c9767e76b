// An engine in a folder of its own, and writers that feed it as streams do.
#ifndef WATERFLOW_BENCH_STORAGE_STORE_H_
#define WATERFLOW_BENCH_STORAGE_STORE_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/batch.h"
#include "bench/dataset.h"
#include "bench/scratch_folder.h"
#include "storage/engine.h"

namespace waterflow::bench {

// One stream of the store.
class StoreWriter {
 public:
  ~StoreWriter();
  absl::Status Declare(uint32_t schema, const std::vector<std::string>& names);
  // Waits while the store has too much on its way. An error when the session
  // ended or refused the batch.
  absl::Status Append(const EncodedBatch& batch, const Shift& shift);
  // The same for the bytes of a Batch.
  absl::Status Append(storage::BatchBody body);
  // Until all that was appended is durable.
  absl::Status AwaitDurable();

 private:
  friend class Store;
  class Observer;
  StoreWriter(storage::Engine* engine, std::shared_ptr<Observer> observer,
              std::unique_ptr<storage::StreamSession> session);

  storage::Engine* const engine_;
  const std::shared_ptr<Observer> observer_;
  std::unique_ptr<storage::StreamSession> session_;
  size_t appended_bytes_ = 0;
};

class Store {
 public:
  static absl::StatusOr<std::unique_ptr<Store>> Open(
      const storage::EngineOptions& options);

  storage::Engine* engine() const { return engine_.get(); }
  // Makes the run when it is new to this object.
  absl::StatusOr<storage::Uuid> Run(const std::string& name);
  absl::StatusOr<std::unique_ptr<StoreWriter>> OpenWriter(
      const WorkerRows& worker);

  // Streams all of the dataset in, `rounds` times over with rows, steps and
  // times that go on, workers taking turns batch by batch as they do when they
  // train together. Returns its values.
  // In step: no worker begins a batch before all have the one before durable.
  absl::StatusOr<uint64_t> Feed(const Dataset& dataset, uint32_t batch_rows,
                                uint32_t rounds, bool in_step = false);
  // Bytes of the batches that Feed streamed in.
  uint64_t fed_bytes() const { return fed_bytes_; }

 private:
  explicit Store(std::unique_ptr<storage::Engine> engine)
      : engine_(std::move(engine)) {}

  std::unique_ptr<storage::Engine> engine_;
  std::map<std::string, storage::Uuid> runs_;
  uint64_t fed_bytes_ = 0;
};

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_STORAGE_STORE_H_
