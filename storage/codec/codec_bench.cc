// What the codecs cost and gain on real telemetry (examples/trace), by chunk
// size, each chunk encoded by itself:
//
//   waterflow-codec-bench [--benchmark_...] [FOLDER of a trace]
//
// cpu is per value; B is encoded bytes per value.
#include <benchmark/benchmark.h>
#include <zstd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "storage/codec/chunk.h"

namespace waterflow::storage {
namespace {

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

// Columns of a trace, cut by series.
template <typename T>
struct Trace {
  std::vector<T> column;
  std::vector<absl::Span<const T>> series;
};

template <typename T>
Trace<T> ReadTrace(const std::string& folder, const std::string& name) {
  Trace<T> trace;
  trace.column = ReadColumn<T>(folder + "/" + name);
  const auto index =
      nlohmann::json::parse(ReadFile(folder + "/index.json"), nullptr, false);
  if (!index.is_object()) return trace;
  for (const auto& one : index["series"]) {
    const size_t offset = one["offset"];
    const size_t count = one["count"];
    if (offset + count > trace.column.size()) return {};
    trace.series.push_back(
        absl::MakeConstSpan(trace.column).subspan(offset, count));
  }
  return trace;
}

template <typename T>
std::vector<absl::Span<const T>> Chunks(const Trace<T>& trace, size_t size) {
  std::vector<absl::Span<const T>> chunks;
  for (const auto& series : trace.series) {
    for (size_t i = 0; i < series.size(); i += size) {
      chunks.push_back(series.subspan(i, size));
    }
  }
  return chunks;
}

void Encode(absl::Span<const double> v, std::string* out) {
  EncodeChunk(v, out);
}
void Encode(absl::Span<const int64_t> v, std::string* out) {
  EncodeInt64Column(v, out);
}
absl::Status Decode(absl::string_view b, absl::Span<double> out) {
  return DecodeChunk(b, out);
}
absl::Status Decode(absl::string_view b, absl::Span<int64_t> out) {
  return DecodeInt64Column(b, out);
}

// CPU seconds per value rather than values per second.
benchmark::Counter PerValue(size_t values) {
  return {static_cast<double>(values),
          benchmark::Counter::kIsIterationInvariantRate |
              benchmark::Counter::kInvert};
}

template <typename T>
void BenchEncode(benchmark::State& state, const Trace<T>& trace) {
  const auto chunks = Chunks(trace, state.range(0));
  size_t bytes = 0;
  for (auto _ : state) {
    std::string out;
    bytes = 0;
    for (const auto chunk : chunks) {
      out.clear();
      Encode(chunk, &out);
      bytes += out.size();
    }
  }
  state.counters["cpu"] = PerValue(trace.column.size());
  state.counters["B"] = static_cast<double>(bytes) / trace.column.size();
}

template <typename T>
void BenchDecode(benchmark::State& state, const Trace<T>& trace) {
  const auto chunks = Chunks(trace, state.range(0));
  std::vector<std::string> encoded(chunks.size());
  for (size_t i = 0; i < chunks.size(); ++i) Encode(chunks[i], &encoded[i]);
  std::vector<T> out(state.range(0));
  for (auto _ : state) {
    for (size_t i = 0; i < chunks.size(); ++i) {
      const auto values = absl::MakeSpan(out).first(chunks[i].size());
      if (!Decode(encoded[i], values).ok() ||
          std::memcmp(values.data(), chunks[i].data(),
                      values.size() * sizeof(T)) != 0) {
        state.SkipWithError("a chunk did not come back");
        return;
      }
    }
  }
  state.counters["cpu"] = PerValue(trace.column.size());
}

template <typename T>
void Register(const std::string& name, const Trace<T>& trace) {
  for (const int64_t chunk : {60, 512, 4096}) {
    benchmark::RegisterBenchmark(("encode_" + name).c_str(), BenchEncode<T>,
                                 trace)
        ->Arg(chunk)
        ->Unit(benchmark::kMillisecond);
    benchmark::RegisterBenchmark(("decode_" + name).c_str(), BenchDecode<T>,
                                 trace)
        ->Arg(chunk)
        ->Unit(benchmark::kMillisecond);
  }
}

int Main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  const std::string folder = argc > 1 ? argv[1] : "examples/trace";
  const auto values = ReadTrace<double>(folder, "values.f64.zst");
  const auto steps = ReadTrace<int64_t>(folder, "steps.i64.zst");
  const auto times = ReadTrace<int64_t>(folder, "times.i64.zst");
  if (values.series.empty() || steps.series.empty() || times.series.empty()) {
    std::fprintf(stderr, "%s: no trace here\n", folder.c_str());
    return 1;
  }
  Register("values", values);
  Register("steps", steps);
  Register("times", times);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace waterflow::storage

int main(int argc, char** argv) { return waterflow::storage::Main(argc, argv); }
