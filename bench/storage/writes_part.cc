// What the engine writes to disk for a byte that comes in: log, seals and
// merges, over many seals, until the store is settled; and that RocksDB's own
// compaction rewrites none of it.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/storage/counting_env.h"
#include "bench/storage/parts.h"
#include "bench/storage/store.h"
#include "bench/w1.h"

namespace waterflow::bench {
namespace {

struct Shape {
  std::string name;
  uint32_t workers = 0;
  uint32_t batch_rows = 0;
  uint32_t rows_a_seal = 0;  // of each worker
  uint32_t seals = 0;
  double at_most = 0;  // bytes written per byte in
};

constexpr uint32_t kSteps = 384;

// W1 with its workers spread over so many runs.
Dataset Spread(const Shape& shape, uint32_t runs) {
  // At least one worker a run.
  Dataset w1 =
      MakeW1({.workers = std::max(shape.workers, runs), .steps = kSteps});
  for (size_t w = 0; w < w1.size(); ++w) {
    w1[w].run = absl::StrCat("run", w % runs);
  }
  return w1;
}

// Heads of so many rows of each worker, with what a batch costs beside its
// bytes.
uint64_t SealBytes(const Shape& shape, const Dataset& w1) {
  const std::vector<EncodedBatch> batches =
      EncodeLane(0, w1[0].lanes[0], shape.batch_rows);
  return (BatchSize(batches[0], Shift()) + 80) * w1.size() * shape.rows_a_seal /
         shape.batch_rows;
}

Figures Measure(const Shape& shape, uint32_t runs,
                const StorageOptions& options) {
  const ScratchFolder folder(options.scratch);
  const Dataset w1 = Spread(shape, runs);
  BytesWritten written;
  const std::unique_ptr<rocksdb::Env> env = NewCountingEnv(&written);
  storage::EngineStats stats;
  double payload = 0;
  {
    auto store = Store::Open({.data_dir = folder.path(),
                              .seal_bytes = SealBytes(shape, w1),
                              .env = env.get()});
    if (!store.ok()) return store.status();
    const uint32_t seals = options.quick ? 8 : shape.seals;
    const uint32_t rounds = (seals * shape.rows_a_seal + kSteps - 1) / kSteps;
    // All workers of one step at a time, as in training.
    auto fed = (*store)->Feed(w1, shape.batch_rows, rounds, /*in_step=*/true);
    if (!fed.ok()) return fed.status();
    payload = static_cast<double>((*store)->fed_bytes());
    auto flushed = (*store)->engine()->Flush();
    if (!flushed.ok()) return flushed.status();
    stats = (*store)->engine()->Stats();
  }
  const auto per_byte = [&](uint64_t bytes) {
    return static_cast<double>(bytes) / payload;
  };
  const std::string name =
      absl::StrFormat("%s, %d live runs, %d seals, %d merges", shape.name, runs,
                      stats.seals, stats.merges);
  return std::vector<Figure>{
      {.what = absl::StrCat(name, ": written per byte in"),
       .value = per_byte(written.total()),
       .unit = "B/B",
       .at_most = shape.at_most,
       .reference = absl::StrFormat(
           "log %.2f, seals %.2f, merges %.2f", per_byte(written.log),
           per_byte(written.seals), per_byte(written.merges))},
      {.what = absl::StrCat(name, ": sealing and merging"),
       .value = static_cast<double>(stats.seal_cpu_ns + stats.merge_cpu_ns) /
                static_cast<double>(stats.values),
       .unit = "ns/sample"},
      {.what = absl::StrCat(name, ": rewritten by RocksDB"),
       .value = static_cast<double>(stats.compacted_bytes),
       .unit = "B",
       .at_most = 0},
  };
}

}  // namespace

Figures MeasureWrites(const StorageOptions& options) {
  const std::vector<Shape> shapes = {{.name = "flood",
                                      .workers = 64,
                                      .batch_rows = 64,
                                      .rows_a_seal = 430,
                                      .seals = 32,
                                      .at_most = 1.6},
                                     {.name = "live",
                                      .workers = 256,
                                      .batch_rows = 1,
                                      .rows_a_seal = 5,
                                      .seals = 72,
                                      .at_most = 2.5}};
  std::vector<Figure> figures;
  for (const Shape& shape : shapes) {
    for (const uint32_t runs : {1, 20, 200}) {
      Figures some = Measure(shape, runs, options);
      if (!some.ok()) return some.status();
      figures.insert(figures.end(), some->begin(), some->end());
    }
  }
  return figures;
}

}  // namespace waterflow::bench
