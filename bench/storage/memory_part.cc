// What an active series costs in memory: many workers with many metrics and
// one float32 row each that is not sealed yet. Heads, the log's memtable,
// lanes, sessions and the catalog together: the growth of this process.
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/process.h"
#include "bench/storage/parts.h"
#include "bench/storage/store.h"

namespace waterflow::bench {
namespace {

absl::StatusOr<Figure> BytesPerSeries(uint32_t workers, uint32_t metrics,
                                      const StorageOptions& options) {
  const ScratchFolder folder(options.scratch);
  auto store = Store::Open({.data_dir = folder.path(),
                            .sync = storage::SyncPolicy::kOff,
                            .seal_age = absl::Hours(1)});
  if (!store.ok()) return store.status();
  WorkerRows worker{.run = "job", .lanes = {LaneRows()}};
  LaneRows& lane = worker.lanes[0];
  lane.steps = {0};
  lane.times_ns = {1'760'000'000'000'000'000};
  for (uint32_t m = 0; m < metrics; ++m) {
    lane.metrics.push_back(absl::StrCat("layer/", m, "/grad_norm"));
    lane.columns.push_back({static_cast<float>(0.1 * m + 0.3)});
  }
  const std::vector<EncodedBatch> batches = EncodeLane(0, lane, 1);
  // The first one brings the schema and warms up what is made once.
  auto first = (*store)->OpenWriter(worker);
  if (!first.ok()) return first.status();

  const absl::StatusOr<ProcessUsage> before = ReadUsage(getpid());
  if (!before.ok()) return before.status();
  std::vector<std::unique_ptr<StoreWriter>> writers;
  for (uint32_t w = 0; w < workers; ++w) {
    worker.rank = w + 1;
    auto writer = (*store)->OpenWriter(worker);
    if (!writer.ok()) return writer.status();
    writers.push_back(*std::move(writer));
    absl::Status s = writers.back()->Append(batches[0], Shift());
    if (!s.ok()) return s;
  }
  for (const auto& writer : writers) {
    if (absl::Status s = writer->AwaitDurable(); !s.ok()) return s;
  }
  const absl::StatusOr<ProcessUsage> after = ReadUsage(getpid());
  if (!after.ok()) return after.status();
  const storage::EngineStats stats = (*store)->engine()->Stats();
  if (stats.seals != 0) return absl::InternalError("the heads were sealed");
  return Figure{
      .what = absl::StrFormat("memory of %d x %d series, a row each, in "
                              "process",
                              workers, metrics),
      .value =
          static_cast<double>(after->resident_bytes - before->resident_bytes) /
          (static_cast<double>(workers) * metrics),
      .unit = "B/series",
      .at_most = 12,
      .reference = "VictoriaMetrics 432, Prometheus 1,672"};
}

}  // namespace

Figures MeasureMemory(const StorageOptions& options) {
  std::vector<Figure> figures;
  for (const uint32_t workers : {1000u, options.quick ? 2000u : 10000u}) {
    // In a process of its own: what one freed, the next would find.
    Figures one = InChild([&]() -> Figures {
      absl::StatusOr<Figure> figure = BytesPerSeries(workers, 1000, options);
      if (!figure.ok()) return figure.status();
      return std::vector<Figure>{*std::move(figure)};
    });
    if (!one.ok()) return one.status();
    figures.insert(figures.end(), one->begin(), one->end());
  }
  return figures;
}

}  // namespace waterflow::bench
