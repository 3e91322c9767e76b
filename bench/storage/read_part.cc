// What questions cost the engine itself, sealed and unmerged.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bench/storage/parts.h"
#include "bench/storage/store.h"
#include "bench/w1.h"

namespace waterflow::bench {
namespace {

// The median of some reads, in ms. *points is what one of them reads.
absl::StatusOr<double> MedianMs(storage::Engine* engine,
                                const storage::ReadSpec& spec,
                                uint64_t* points) {
  std::vector<double> times;
  for (int i = 0; i < 21; ++i) {
    const absl::Time begin = absl::Now();
    absl::StatusOr<storage::ReadSummary> read = engine->Read(
        spec, [](storage::SeriesPart) { return absl::OkStatus(); });
    if (!read.ok()) return read.status();
    times.push_back(absl::ToDoubleMilliseconds(absl::Now() - begin));
    *points = read->points_read;
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

absl::StatusOr<Figure> AllWorkersPerStep(const StorageOptions& options) {
  const ScratchFolder folder(options.scratch);
  auto store = Store::Open({.data_dir = folder.path()});
  if (!store.ok()) return store.status();
  absl::StatusOr<uint64_t> fed = (*store)->Feed(MakeW1(W1Options()), 64, 1);
  if (!fed.ok()) return fed.status();
  if (auto f = (*store)->engine()->Flush(); !f.ok()) return f.status();
  storage::ReadSpec spec;
  spec.runs = {*(*store)->Run("w1")};
  spec.metrics = {"loss_00"};
  spec.reduction = storage::Reduction::kMean;
  uint64_t points = 0;
  absl::StatusOr<double> ms = MedianMs((*store)->engine(), spec, &points);
  if (!ms.ok()) return ms.status();
  return Figure{
      .what = absl::StrCat("mean, min, max over 256 workers per step, ", points,
                           " points"),
      .value = *ms,
      .unit = "ms",
      .reference =
          "chdb 5.4, QuestDB 15, VictoriaMetrics 18-26, Prometheus "
          "43"};
}

// 4,096 workers that seal five rows at a time; the newest four seals.
absl::StatusOr<Figure> NewestRows(const StorageOptions& options) {
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
  uint64_t points = 0;
  absl::StatusOr<double> ms = MedianMs((*store)->engine(), spec, &points);
  if (!ms.ok()) return ms.status();
  return Figure{.what = absl::StrCat(
                    "one metric x ", workers, " workers x newest 20 rows, ",
                    (*store)->engine()->Stats().generations, " generations"),
                .value = *ms,
                .unit = "ms",
                .at_most = 50};
}

}  // namespace

Figures MeasureReads(const StorageOptions& options) {
  std::vector<Figure> figures;
  for (const auto measure : {AllWorkersPerStep, NewestRows}) {
    absl::StatusOr<Figure> figure = measure(options);
    if (!figure.ok()) return figure.status();
    figures.push_back(*std::move(figure));
  }
  return figures;
}

}  // namespace waterflow::bench
