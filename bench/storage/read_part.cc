// What questions cost the engine itself, in CPU time, sealed and unmerged.
#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "bench/process.h"
#include "bench/storage/parts.h"
#include "bench/storage/store.h"
#include "bench/w1.h"

namespace waterflow::bench {
namespace {

struct Asked {
  double cpu_ms = 0;  // median of a read
  uint64_t points = 0;
  double max = -std::numeric_limits<double>::infinity();  // of all buckets
};

absl::StatusOr<Asked> Ask(storage::Engine* engine,
                          const storage::ReadSpec& spec) {
  Asked asked;
  std::vector<double> times;
  for (int i = 0; i < 21; ++i) {
    const double begin = OwnCpuSeconds();
    absl::StatusOr<storage::ReadSummary> read =
        engine->Read(spec, [&](const storage::SeriesPart& part) {
          for (const storage::Bucket& b : part.buckets) {
            asked.max = std::fmax(asked.max, b.max);
          }
          return absl::OkStatus();
        });
    if (!read.ok()) return read.status();
    times.push_back((OwnCpuSeconds() - begin) * 1e3);
    asked.points = read->points_read + read->points_summarised;
  }
  std::sort(times.begin(), times.end());
  asked.cpu_ms = times[times.size() / 2];
  return asked;
}

absl::StatusOr<Figure> AskFor(storage::Engine* engine,
                              const storage::ReadSpec& spec,
                              absl::string_view what, double at_most,
                              std::string reference) {
  absl::StatusOr<Asked> asked = Ask(engine, spec);
  if (!asked.ok()) return asked.status();
  return Figure{.what = absl::StrCat(what, ", ", asked->points, " points"),
                .value = asked->cpu_ms,
                .unit = "ms",
                .at_most = at_most,
                .reference = std::move(reference)};
}

// What a dashboard asks of W1. The references are wall time at a client.
Figures W1Questions(const StorageOptions& options) {
  const ScratchFolder folder(options.scratch);
  auto store = Store::Open({.data_dir = folder.path()});
  if (!store.ok()) return store.status();
  absl::StatusOr<uint64_t> fed = (*store)->Feed(MakeW1(W1Options()), 64, 1);
  if (!fed.ok()) return fed.status();
  storage::Engine* const engine = (*store)->engine();
  if (auto f = engine->Flush(); !f.ok()) return f.status();
  storage::ReadSpec all;
  all.runs = {*(*store)->Run("w1")};
  all.metrics = {"loss_00"};
  storage::ReadSpec one = all;
  one.workers = {{storage::Worker{.role = "", .rank = 17}}};
  storage::ReadSpec reduced = all;
  reduced.reduction = storage::Reduction::kMean;
  storage::ReadSpec buckets = all;
  buckets.max_points = 50;
  std::vector<Figure> figures;
  for (const auto& [spec, what, at_most, reference] :
       {std::tuple(one, "one series, raw", 0.2, "DuckDB, VictoriaMetrics 1.0"),
        std::tuple(all, "256 workers x 400 steps, raw", 2.0,
                   "DuckDB 6.3, VictoriaMetrics 25-112"),
        std::tuple(reduced, "mean, min, max over 256 workers per step", 1.0,
                   "DuckDB 3.5, VictoriaMetrics 18, Prometheus 43"),
        std::tuple(buckets, "256 workers x 50 buckets", 1.0,
                   "DuckDB 6.3, VictoriaMetrics 14, MLflow 7,729")}) {
    auto figure = AskFor(engine, spec, what, at_most, reference);
    if (!figure.ok()) return figure.status();
    figures.push_back(*std::move(figure));
  }
  return figures;
}

Figures ManyWorkersPerStep(const StorageOptions& options) {
  const ScratchFolder folder(options.scratch);
  auto store = Store::Open({.data_dir = folder.path()});
  if (!store.ok()) return store.status();
  const W1Options shape = {
      .workers = options.quick ? 512u : 4096u, .metrics = 2, .steps = 1000};
  absl::StatusOr<uint64_t> fed = (*store)->Feed(MakeW1(shape), 64, 1);
  if (!fed.ok()) return fed.status();
  if (auto f = (*store)->engine()->Flush(); !f.ok()) return f.status();
  storage::ReadSpec spec;
  spec.runs = {*(*store)->Run("w1")};
  spec.metrics = {W1Names(2)[0]};
  spec.reduction = storage::Reduction::kMean;
  auto figure = AskFor(
      (*store)->engine(), spec,
      absl::StrCat(shape.workers, " workers x 1,000 steps, reduced per step"),
      20, "");
  if (!figure.ok()) return figure.status();
  return std::vector<Figure>{*std::move(figure)};
}

// One long series with one spike, drawn at 1,000 points.
Figures LongSeries(const StorageOptions& options) {
  constexpr double kSpike = 1e6;
  std::vector<Figure> figures;
  for (const uint32_t rows : {1'000'000u, 10'000'000u}) {
    if (options.quick && rows > 1'000'000) break;
    const ScratchFolder folder(options.scratch);
    auto store = Store::Open({.data_dir = folder.path()});
    if (!store.ok()) return store.status();
    Dataset series = MakeW1({.workers = 1, .metrics = 2, .steps = rows});
    series[0].lanes[0].columns[0][rows / 3] = kSpike;
    absl::StatusOr<uint64_t> fed = (*store)->Feed(series, 4096, 1);
    if (!fed.ok()) return fed.status();
    if (auto f = (*store)->engine()->Flush(); !f.ok()) return f.status();
    storage::ReadSpec spec;
    spec.runs = {*(*store)->Run("w1")};
    spec.metrics = {W1Names(2)[0]};
    spec.max_points = 1000;
    absl::StatusOr<Asked> asked = Ask((*store)->engine(), spec);
    if (!asked.ok()) return asked.status();
    if (asked->max != kSpike) {
      return absl::InternalError(absl::StrCat(
          "the spike is gone; the greatest value is ", asked->max));
    }
    const uint32_t millions = rows / 1'000'000;
    figures.push_back(
        {.what =
             absl::StrCat(millions, " M points drawn at 1,000, spike there"),
         .value = asked->cpu_ms,
         .unit = "ms",
         .at_most = millions == 1 ? 1.5 : 5,
         .reference = millions == 1
                          ? "VictoriaMetrics 32-67, MLflow 4,474 without it"
                          : ""});
  }
  return figures;
}

// 4,096 workers that seal five rows at a time; the newest four seals.
Figures NewestRows(const StorageOptions& options) {
  constexpr uint32_t kSealRows = 5;
  const uint32_t seals = 6;
  const ScratchFolder folder(options.scratch);
  auto store = Store::Open({.data_dir = folder.path(),
                            .sync = storage::SyncPolicy::kOff,
                            .merge_fan_in = 0});
  if (!store.ok()) return store.status();
  const uint32_t workers = options.quick ? 512 : 4096;
  const Dataset w1 = MakeW1({.workers = workers, .steps = kSealRows});
  std::vector<std::unique_ptr<StoreWriter>> writers;
  std::vector<std::vector<EncodedBatch>> batches;
  for (const WorkerRows& worker : w1) {
    auto writer = (*store)->OpenWriter(worker);
    if (!writer.ok()) return writer.status();
    writers.push_back(*std::move(writer));
    batches.push_back(EncodeLane(0, worker.lanes[0], 1));
  }
  for (uint32_t seal = 0; seal < seals; ++seal) {
    const Shift shift{.row = seal * kSealRows,
                      .step = seal * kSealRows,
                      .time_ns = seal * kSealRows * 1'000'000'000};
    for (uint32_t row = 0; row < kSealRows; ++row) {
      for (size_t w = 0; w < writers.size(); ++w) {
        absl::Status s = writers[w]->Append(batches[w][row], shift);
        if (!s.ok()) return s;
      }
    }
    if (auto s = (*store)->engine()->Seal(); !s.ok()) return s.status();
  }
  storage::ReadSpec spec;
  spec.runs = {*(*store)->Run("w1")};
  spec.metrics = {"loss_00"};
  spec.step_range = {.first = (seals - 4) * kSealRows};
  absl::StatusOr<Asked> asked = Ask((*store)->engine(), spec);
  if (!asked.ok()) return asked.status();
  return std::vector<Figure>{
      {.what = absl::StrCat(
           "one metric x ", workers, " workers x newest 20 rows, ",
           (*store)->engine()->Stats().generations, " generations"),
       .value = asked->cpu_ms,
       .unit = "ms",
       .at_most = 50}};
}

}  // namespace

Figures MeasureReads(const StorageOptions& options) {
  std::vector<Figure> figures;
  for (const auto measure :
       {W1Questions, ManyWorkersPerStep, LongSeries, NewestRows}) {
    Figures some = measure(options);
    if (!some.ok()) return some.status();
    figures.insert(figures.end(), some->begin(), some->end());
  }
  return figures;
}

}  // namespace waterflow::bench
