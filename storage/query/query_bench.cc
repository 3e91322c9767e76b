// What buckets and reductions cost per point: workers x steps.
//
//   waterflow-query-bench [--benchmark_...]
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "storage/query/bucket.h"
#include "storage/query/step_table.h"

namespace waterflow::storage {
namespace {

// All workers at steps of 1, as data-parallel training logs.
struct Workload {
  Workload(size_t workers, size_t steps) : positions(steps), values(workers) {
    for (size_t i = 0; i < steps; ++i) positions[i] = static_cast<int64_t>(i);
    for (size_t w = 0; w < workers; ++w) {
      for (size_t i = 0; i < steps; ++i) {
        values[w].push_back(std::sin(static_cast<double>(i * (w + 1))));
      }
      views.push_back({static_cast<uint32_t>(w), positions, values[w]});
    }
  }

  Interval span() const { return {positions.front(), positions.back()}; }

  std::vector<int64_t> positions;
  std::vector<std::vector<double>> values;
  std::vector<SeriesView> views;
};

void SetPerPoint(benchmark::State& state) {
  state.counters["point"] = {
      static_cast<double>(state.range(0) * state.range(1)),
      benchmark::Counter::kIsIterationInvariantRate |
          benchmark::Counter::kInvert};
}

void BenchPerStep(benchmark::State& state) {
  const Workload work(state.range(0), state.range(1));
  for (auto _ : state) {
    StepTable table;
    table.Add(work.views);
    benchmark::DoNotOptimize(table.Finish(Reduction::kMean));
  }
  SetPerPoint(state);
}

void BenchReduceBuckets(benchmark::State& state) {
  const Workload work(state.range(0), state.range(1));
  for (auto _ : state) {
    BucketTable table(work.span(), 300);
    for (const SeriesView& series : work.views) table.Add(series);
    benchmark::DoNotOptimize(table.Finish(Reduction::kMean));
  }
  SetPerPoint(state);
}

void BenchBucketSeries(benchmark::State& state) {
  const Workload work(state.range(0), state.range(1));
  for (auto _ : state) {
    BucketTable table(work.span(), 300);
    for (const SeriesView& series : work.views) {
      table.Clear();
      table.Add(series);
      benchmark::DoNotOptimize(table.Finish(Reduction::kMean));
    }
  }
  SetPerPoint(state);
}

void Shapes(benchmark::internal::Benchmark* b) {
  b->Args({256, 400})->Args({8, 3200})->Args({1, 100000});
  b->Unit(benchmark::kMicrosecond);
}

BENCHMARK(BenchPerStep)->Apply(Shapes);
BENCHMARK(BenchReduceBuckets)->Apply(Shapes);
BENCHMARK(BenchBucketSeries)->Apply(Shapes);

}  // namespace
}  // namespace waterflow::storage

BENCHMARK_MAIN();
