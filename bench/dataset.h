// What a load sends, before it is encoded: streams of workers, each with the
// lanes that it logs, column by column.
#ifndef WATERFLOW_BENCH_DATASET_H_
#define WATERFLOW_BENCH_DATASET_H_

#include <cstdint>
#include <string>
#include <vector>

namespace waterflow::bench {

// Rows of one schema as one worker logs them; all columns have one length.
struct LaneRows {
  std::vector<std::string> metrics;
  std::vector<int64_t> steps;
  std::vector<int64_t> times_ns;
  std::vector<std::vector<double>> columns;  // one per metric

  size_t rows() const { return steps.size(); }
};

// One worker of one run.
struct WorkerRows {
  std::string run;
  uint32_t rank = 0;
  std::vector<LaneRows> lanes;
};

using Dataset = std::vector<WorkerRows>;

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_DATASET_H_
