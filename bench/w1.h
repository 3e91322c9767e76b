// Workload W1: what training jobs log, made up but alike: per worker 40 % noisy
// decaying losses (exact in float32), 15 % integer counters, 10 % constants,
// 10 % values equal on every rank, 25 % timings, utilisation and temperatures.
// The same seed and sizes give the same values.
#ifndef WATERFLOW_BENCH_W1_H_
#define WATERFLOW_BENCH_W1_H_

#include <cstdint>
#include <string>
#include <vector>

#include "bench/dataset.h"

namespace waterflow::bench {

struct W1Options {
  uint32_t workers = 256;
  uint32_t metrics = 100;
  uint32_t steps = 400;
  uint64_t seed = 1;
  int64_t start_ns = 1'760'000'000'000'000'000;
  int64_t step_ns = 1'000'000'000;
};

// "loss_00" and so on; the prefix is the kind.
std::vector<std::string> W1Names(uint32_t metrics);

// One stream per worker, one lane each, all of run "w1".
Dataset MakeW1(const W1Options& options);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_W1_H_
