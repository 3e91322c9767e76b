// A table of runs: 100 metrics of many runs, each reduced over 256 workers; for
// the first time, warm, and as the first question after a start.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/process.h"
#include "bench/storage/parts.h"
#include "bench/storage/store.h"

namespace waterflow::bench {
namespace {

constexpr uint32_t kWorkers = 256;
constexpr uint32_t kMetrics = 100;

std::string MetricName(uint32_t metric) {
  return absl::StrCat("metric_", metric);
}

// One row of all metrics by one worker.
WorkerRows RowOf(uint32_t run, uint32_t rank) {
  WorkerRows worker{
      .run = absl::StrCat("run_", run), .rank = rank, .lanes = {}};
  LaneRows& lane = worker.lanes.emplace_back();
  lane.steps = {100};
  lane.times_ns = {100'000'000'000};
  for (uint32_t metric = 0; metric < kMetrics; ++metric) {
    lane.metrics.push_back(MetricName(metric));
    lane.columns.push_back({run * 0.5 + metric + rank * 1e-3});
  }
  return worker;
}

struct Cost {
  double cpu_ms = 0;
  size_t rows = 0;
};

// Median of some times.
absl::StatusOr<Cost> Ask(storage::Engine& engine,
                         const storage::RunTableSpec& spec, int times) {
  Cost cost;
  std::vector<double> ms;
  for (int i = 0; i < times; ++i) {
    cost.rows = 0;
    const double begin = OwnCpuSeconds();
    const auto next =
        engine.RunTable(spec, [&](const storage::RunTablePart& part) {
          cost.rows += part.runs.size();
          return absl::OkStatus();
        });
    if (!next.ok()) return next.status();
    ms.push_back((OwnCpuSeconds() - begin) * 1e3);
  }
  std::sort(ms.begin(), ms.end());
  cost.cpu_ms = ms[ms.size() / 2];
  return cost;
}

}  // namespace

Figures MeasureTable(const StorageOptions& options) {
  const uint32_t runs = options.quick ? 100 : 1000;
  const ScratchFolder folder(options.scratch);
  const storage::EngineOptions engine_options = {
      .data_dir = folder.path(),
      .sync = storage::SyncPolicy::kOff,
      .gather = absl::ZeroDuration()};
  storage::RunTableSpec spec;
  spec.page_size = runs;
  for (uint32_t metric = 0; metric < kMetrics; ++metric) {
    spec.columns.push_back(absl::StrCat("metrics.", MetricName(metric)));
  }
  std::vector<Figure> figures;
  const auto measure = [&](storage::Engine& engine, const std::string& what,
                           int times, std::optional<double> at_most) {
    absl::StatusOr<Cost> cost = Ask(engine, spec, times);
    if (!cost.ok()) return cost.status();
    if (cost->rows != runs) return absl::InternalError("runs are missing");
    figures.push_back(
        {.what = absl::StrCat(kMetrics, " metrics of ", runs, " runs x ",
                              kWorkers, " workers, ", what),
         .value = cost->cpu_ms,
         .unit = "ms",
         .at_most = at_most});
    return absl::OkStatus();
  };
  {
    auto store = Store::Open(engine_options);
    if (!store.ok()) return store.status();
    for (uint32_t run = 0; run < runs; ++run) {
      for (uint32_t rank = 0; rank < kWorkers; ++rank) {
        const auto fed = (*store)->Feed({RowOf(run, rank)}, 1, 1);
        if (!fed.ok()) return fed.status();
      }
    }
    storage::Engine& engine = *(*store)->engine();
    if (auto f = engine.Flush(); !f.ok()) return f.status();
    absl::Status s = measure(engine, "for the first time", 1, {});
    if (s.ok()) s = measure(engine, "warm", 11, 20);
    if (!s.ok()) return s;
  }
  auto store = Store::Open(engine_options);
  if (!store.ok()) return store.status();
  absl::Status s =
      measure(*(*store)->engine(), "the first question after a start", 1, {});
  if (!s.ok()) return s;
  return figures;
}

}  // namespace waterflow::bench
