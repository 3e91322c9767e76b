// The parts of the storage benchmark: each measures the engine alone, in this
// process, with no gRPC around it, on stores of its own below `scratch`.
#ifndef WATERFLOW_BENCH_STORAGE_PARTS_H_
#define WATERFLOW_BENCH_STORAGE_PARTS_H_

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/storage/figure.h"

namespace waterflow::bench {

struct StorageOptions {
  std::filesystem::path trace;    // folder of the recorded telemetry
  std::filesystem::path scratch;  // where stores live while they are measured
  // Sizes for a look, not for a figure to quote.
  bool quick = false;
};

using Figures = absl::StatusOr<std::vector<Figure>>;

// Bytes of a settled store and CPU of sealing it, for W1 and the trace.
Figures MeasureDisk(const StorageOptions& options);
// Resident bytes per active series, with one unsealed row in each.
Figures MeasureMemory(const StorageOptions& options);
// From a kill to the first correct read.
Figures MeasureRecovery(const StorageOptions& options);
// Questions to a store, without its network.
Figures MeasureReads(const StorageOptions& options);
// Searches over many runs.
Figures MeasureSearch(const StorageOptions& options);
// Tables of runs.
Figures MeasureTable(const StorageOptions& options);
// Bytes written per byte that comes in, merges included.
Figures MeasureWrites(const StorageOptions& options);
// Keys that small and slow series leave behind.
Figures MeasureSmall(const StorageOptions& options);

struct StoragePart {
  std::string name;
  Figures (*measure)(const StorageOptions&);
};
const std::vector<StoragePart>& StorageParts();

// Runs `measure` in a child process, so that memory and CPU are its own.
Figures InChild(const std::function<Figures()>& measure);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_STORAGE_PARTS_H_
