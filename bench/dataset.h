// What a load sends, before it is encoded: streams of workers, each with the
// lanes that it logs, column by column.
#ifndef WATERFLOW_BENCH_DATASET_H_
#define WATERFLOW_BENCH_DATASET_H_

#include <algorithm>
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
  // By how much the times of a round that repeats the rows go on: as if one
  // more row came before it.
  int64_t round_ns() const {
    const int64_t length = times_ns.back() - times_ns.front();
    return length +
           length / std::max<int64_t>(1, static_cast<int64_t>(rows()) - 1);
  }
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
