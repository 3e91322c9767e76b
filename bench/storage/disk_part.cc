// What a settled store weighs, and what sealing costs: all of the codecs, the
// axis, the summaries, the catalog and RocksDB's own indexes together.
#include "absl/strings/str_cat.h"
#include "bench/storage/parts.h"
#include "bench/storage/store.h"
#include "bench/trace.h"
#include "bench/w1.h"

namespace waterflow::bench {
namespace {

constexpr uint32_t kBatchRows = 64;

// Adds bytes on disk and CPU of the sealing thread, both per value.
absl::Status Weigh(const std::string& name, const Dataset& dataset,
                   uint32_t rounds, const StorageOptions& options,
                   double* bytes_per_value, double* seal_ns_per_value) {
  const ScratchFolder folder(options.scratch);
  auto store = Store::Open({.data_dir = folder.path()});
  if (!store.ok()) return store.status();
  const absl::StatusOr<uint64_t> values =
      (*store)->Feed(dataset, kBatchRows, rounds);
  if (!values.ok()) return values.status();
  storage::Engine* const engine = (*store)->engine();
  if (auto flushed = engine->Flush(); !flushed.ok()) return flushed.status();
  const storage::EngineStats stats = engine->Stats();
  if (stats.values != *values) {
    return absl::InternalError(
        absl::StrCat(name, ": ", *values, " values went in, the store counts ",
                     stats.values));
  }
  const double count = static_cast<double>(*values);
  *bytes_per_value = static_cast<double>(stats.sst_bytes + stats.wal_bytes +
                                         stats.manifest_bytes) /
                     count;
  *seal_ns_per_value =
      static_cast<double>(stats.seal_cpu_ns + stats.merge_cpu_ns) / count;
  return absl::OkStatus();
}

}  // namespace

Figures MeasureDisk(const StorageOptions& options) {
  absl::StatusOr<Dataset> trace = ReadTrace(options.trace);
  if (!trace.ok()) return trace.status();
  const Dataset w1 = MakeW1(W1Options());

  double trace_bytes = 0;
  double once = 0;
  absl::Status s = Weigh("trace", *trace, 1, options, &trace_bytes, &once);
  if (!s.ok()) return s;
  // Half a million values take 5 ms, as much as the first touch of some huge
  // pages: so many more of them for the CPU.
  double many_bytes = 0;
  double trace_seal = 0;
  s = Weigh("trace", *trace, options.quick ? 4 : 32, options, &many_bytes,
            &trace_seal);
  if (!s.ok()) return s;
  double w1_bytes = 0;
  s = Weigh("W1", w1, 1, options, &w1_bytes, &once);
  if (!s.ok()) return s;
  // Long enough for several full seals.
  double w1_seal = 0;
  s = Weigh("W1", w1, options.quick ? 2 : 8, options, &many_bytes, &w1_seal);
  if (!s.ok()) return s;

  return std::vector<Figure>{
      {.what = "trace on disk, everything, bit-exact",
       .value = trace_bytes,
       .unit = "B/sample",
       .at_most = 2.1,
       .reference = "values alone: Gorilla 3.25, pco 2.35; with times: "
                    "Prometheus 5.1"},
      {.what = "W1 on disk, everything, bit-exact",
       .value = w1_bytes,
       .unit = "B/sample",
       .at_most = 2.35,
       .reference = "chdb 3.06, DuckDB 4.97, Prometheus 5.86, MLflow 264"},
      {.what = "sealing the trace, all in, several seals",
       .value = trace_seal,
       .unit = "ns/sample",
       .at_most = 15,
       .reference = "byte shuffle + zstd alone 13"},
      {.what = "sealing W1, all in, several seals",
       .value = w1_seal,
       .unit = "ns/sample",
       .at_most = 15},
  };
}

}  // namespace waterflow::bench
