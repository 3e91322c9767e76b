// What each stream of a load sends: a worker's schemas and batches, and the
// order in which they go.
#ifndef WATERFLOW_BENCH_WORKER_LOAD_H_
#define WATERFLOW_BENCH_WORKER_LOAD_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "bench/batch.h"
#include "bench/dataset.h"

namespace waterflow::bench {

// What one worker sends.
struct WorkerLoad {
  std::string run_id;
  uint32_t rank = 0;
  uint32_t world_size = 0;
  std::vector<std::vector<std::string>> schemas;  // metric names, by schema id
  std::vector<EncodedBatch> batches;              // in the order they are sent
  Shift round;  // how far on a further round is, in the first lane
};

// The batches of one worker, one after another. When they repeat, round r takes
// those of another worker, so that what a compressor sees near each other is
// never the same twice; all workers must be alike then.
class BatchCursor {
 public:
  BatchCursor(const std::vector<WorkerLoad>& workers, size_t worker,
              bool repeat)
      : workers_(workers), worker_(worker), repeat_(repeat) {}

  // Null at the end.
  const EncodedBatch* Peek() const;
  Shift shift() const;
  void Advance();

 private:
  const std::vector<WorkerLoad>& workers_;
  const size_t worker_;
  const bool repeat_;
  uint64_t round_ = 0;
  size_t batch_ = 0;
};

// Encodes a dataset in batches of `batch_rows`; each worker's go out in the
// order of their times, whatever their lane. `run_ids` has the id of each run
// by its name.
std::vector<WorkerLoad> EncodeWorkers(
    const Dataset& dataset, uint32_t batch_rows,
    const std::map<std::string, std::string>& run_ids);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_WORKER_LOAD_H_
