// What the codecs cost and gain, by class of metric and chunk size, over the
// recorded trace and over W1; each chunk is encoded by itself, so repeats of
// another rank count in full:
//
//   waterflow-codec-bench [--benchmark_filter=...] [FOLDER of a trace]
//
// Names: what/data set/class/values a chunk. cpu is per value, B encoded bytes
// per value. `reduce` decodes and takes count, minimum, maximum and mean, as a
// query over sealed chunks does.
//
// All classes on a shared 2.4 GHz core, ns a value, in chunks of 60, 512,
// 4,096:
//           encode           decode         reduce         B
//   trace   11.9  6.6  5.7   2.0  1.4  1.2  2.8  2.1  1.9  2.32  2.24  2.23
//   W1      11.4  6.0  5.9   1.7  1.2  1.1  2.4  1.9  1.9  2.49  2.40  2.40
// The trace in byte planes and zstd -4, as it was before (decode also
// compared):
//           16.0  5.9  4.1   3.7  3.1  2.8                 3.07  2.70  2.64
#include <benchmark/benchmark.h>
#include <zstd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "bench/w1.h"
#include "storage/codec/chunk.h"
#include "storage/codec/mixed.h"

namespace waterflow::bench {
namespace {

constexpr char kAll[] = "all";

template <typename T>
using Series = std::vector<std::vector<T>>;

// Series by class of metric.
template <typename T>
using Classes = std::map<std::string, Series<T>>;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

template <typename T>
std::vector<T> ReadColumn(const std::string& path) {
  const std::string packed = ReadFile(path);
  const auto size = ZSTD_getFrameContentSize(packed.data(), packed.size());
  if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR) {
    return {};
  }
  std::vector<T> column(size / sizeof(T));
  ZSTD_decompress(column.data(), size, packed.data(), packed.size());
  return column;
}

// A column of the trace cut into its series.
template <typename T>
Classes<T> ReadTraceColumn(const std::string& folder, const std::string& name,
                           bool by_class) {
  const std::vector<T> column = ReadColumn<T>(folder + "/" + name);
  const auto index =
      nlohmann::json::parse(ReadFile(folder + "/index.json"), nullptr, false);
  Classes<T> classes;
  if (!index.is_object()) return classes;
  for (const auto& one : index["series"]) {
    const size_t offset = one["offset"];
    const size_t count = one["count"];
    if (offset + count > column.size()) return {};
    const std::vector<T> series(column.begin() + offset,
                                column.begin() + offset + count);
    if (by_class) classes[one["cls"].get<std::string>()].push_back(series);
    classes[kAll].push_back(series);
  }
  return classes;
}

Classes<double> W1Values() {
  Classes<double> classes;
  for (const WorkerRows& worker : MakeW1({.workers = 32})) {
    const LaneRows& lane = worker.lanes.front();
    for (size_t m = 0; m < lane.metrics.size(); ++m) {
      const std::string& name = lane.metrics[m];
      classes[name.substr(0, name.find('_'))].push_back(lane.columns[m]);
      classes[kAll].push_back(lane.columns[m]);
    }
  }
  return classes;
}

void Encode(absl::Span<const double> v, std::string* out) {
  storage::EncodeChunk(v, out);
}
void Encode(absl::Span<const int64_t> v, std::string* out) {
  storage::EncodeInt64Column(v, out);
}
absl::Status Decode(absl::string_view b, absl::Span<double> out) {
  return storage::DecodeChunk(b, out);
}
absl::Status Decode(absl::string_view b, absl::Span<int64_t> out) {
  return storage::DecodeInt64Column(b, out);
}

// The chunks of all series of a class, encoded.
template <typename T>
struct Chunks {
  std::vector<absl::Span<const T>> values;
  std::vector<std::string> encoded;
  size_t count = 0;
  size_t bytes = 0;

  Chunks(const Series<T>& all, size_t size) {
    for (const std::vector<T>& series : all) {
      const auto span = absl::MakeConstSpan(series);
      for (size_t i = 0; i < span.size(); i += size) {
        values.push_back(span.subspan(i, size));
        Encode(values.back(), &encoded.emplace_back());
        bytes += encoded.back().size();
        count += values.back().size();
      }
    }
  }
};

// CPU seconds per value rather than values per second.
benchmark::Counter PerValue(size_t values) {
  return {static_cast<double>(values),
          benchmark::Counter::kIsIterationInvariantRate |
              benchmark::Counter::kInvert};
}

template <typename T>
void BenchEncode(benchmark::State& state, const Series<T>* series) {
  const Chunks<T> chunks(*series, state.range(0));
  std::string out;
  for (auto _ : state) {
    for (const auto values : chunks.values) {
      out.clear();
      Encode(values, &out);
    }
  }
  state.counters["cpu"] = PerValue(chunks.count);
  state.counters["B"] = static_cast<double>(chunks.bytes) / chunks.count;
}

// Decodes each chunk and hands it on.
template <typename T, typename Use>
void BenchDecoded(benchmark::State& state, const Series<T>* series, Use use) {
  const Chunks<T> chunks(*series, state.range(0));
  std::vector<T> out(state.range(0));
  for (size_t i = 0; i < chunks.values.size(); ++i) {
    const auto values = absl::MakeSpan(out).first(chunks.values[i].size());
    if (!Decode(chunks.encoded[i], values).ok() ||
        std::memcmp(values.data(), chunks.values[i].data(),
                    values.size() * sizeof(T)) != 0) {
      state.SkipWithError("a chunk did not come back");
      return;
    }
  }
  for (auto _ : state) {
    for (size_t i = 0; i < chunks.values.size(); ++i) {
      const auto values = absl::MakeSpan(out).first(chunks.values[i].size());
      benchmark::DoNotOptimize(Decode(chunks.encoded[i], values).ok());
      use(values);
    }
  }
  state.counters["cpu"] = PerValue(chunks.count);
}

template <typename T>
void BenchDecode(benchmark::State& state, const Series<T>* series) {
  BenchDecoded(state, series, [](absl::Span<T> values) {
    benchmark::DoNotOptimize(values.data());
  });
}

// Of finite values; others are left out.
struct Reduced {
  size_t count = 0;
  double min = INFINITY;
  double max = -INFINITY;
  double sum = 0;
};

Reduced ReduceFinite(absl::Span<const double> values) {
  constexpr size_t kLanes = 8;  // that do not wait for one another
  double min[kLanes];
  double max[kLanes];
  double sum[kLanes] = {};
  std::fill_n(min, kLanes, values[0]);
  std::fill_n(max, kLanes, values[0]);
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (size_t k = 0; k < kLanes; ++k) {
      const double v = values[i + k];
      min[k] = v < min[k] ? v : min[k];
      max[k] = v > max[k] ? v : max[k];
      sum[k] += v;
    }
  }
  for (; i < values.size(); ++i) {
    min[0] = std::min(min[0], values[i]);
    max[0] = std::max(max[0], values[i]);
    sum[0] += values[i];
  }
  return {.count = values.size(),
          .min = *std::min_element(min, min + kLanes),
          .max = *std::max_element(max, max + kLanes),
          .sum = std::accumulate(sum, sum + kLanes, 0.0)};
}

Reduced Reduce(absl::Span<double> values) {
  if (!storage::AllFinite(values)) {
    const auto end = std::remove_if(values.begin(), values.end(),
                                    [](double v) { return !std::isfinite(v); });
    values = values.first(end - values.begin());
  }
  return values.empty() ? Reduced{} : ReduceFinite(values);
}

void BenchReduce(benchmark::State& state, const Series<double>* series) {
  BenchDecoded(state, series, [](absl::Span<double> values) {
    const Reduced reduced = Reduce(values);
    benchmark::DoNotOptimize(reduced.sum + reduced.min + reduced.max);
  });
}

template <typename T>
void Register(const std::string& name, const char* what,
              void (*run)(benchmark::State&, const Series<T>*),
              const Classes<T>& classes) {
  for (const auto& [cls, series] : classes) {
    const std::string full = std::string(what) + "/" + name + "/" + cls;
    benchmark::RegisterBenchmark(full.c_str(), run, &series)
        ->Arg(60)
        ->Arg(512)
        ->Arg(4096)
        ->Unit(benchmark::kMillisecond);
  }
}

int Main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  const std::string folder = argc > 1 ? argv[1] : "examples/trace";
  const auto trace = ReadTraceColumn<double>(folder, "values.f64.zst", true);
  const auto steps = ReadTraceColumn<int64_t>(folder, "steps.i64.zst", false);
  const auto times = ReadTraceColumn<int64_t>(folder, "times.i64.zst", false);
  const Classes<double> w1 = W1Values();
  if (trace.empty() || steps.empty() || times.empty()) {
    std::fprintf(stderr, "%s: no trace here\n", folder.c_str());
    return 1;
  }
  for (const auto& [name, classes] :
       {std::pair{"trace", &trace}, std::pair{"w1", &w1}}) {
    Register(name, "encode", BenchEncode<double>, *classes);
    Register(name, "decode", BenchDecode<double>, *classes);
    Register(name, "reduce", BenchReduce, *classes);
  }
  for (const auto& [name, classes] :
       {std::pair{"steps", &steps}, std::pair{"times", &times}}) {
    Register(name, "encode", BenchEncode<int64_t>, *classes);
    Register(name, "decode", BenchDecode<int64_t>, *classes);
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace waterflow::bench

int main(int argc, char** argv) { return waterflow::bench::Main(argc, argv); }
