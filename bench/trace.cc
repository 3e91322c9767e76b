#include "bench/trace.h"

#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

namespace waterflow::bench {
namespace {

absl::StatusOr<std::string> ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat("no ", path.string()));
  std::stringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

// A whole zstd file as little-endian numbers of 8 bytes.
template <typename Number>
absl::StatusOr<std::vector<Number>> ReadNumbers(
    const std::filesystem::path& path) {
  const absl::StatusOr<std::string> packed = ReadFile(path);
  if (!packed.ok()) return packed.status();
  const unsigned long long size =  // NOLINT: zstd's own type
      ZSTD_getFrameContentSize(packed->data(), packed->size());
  if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR ||
      size % sizeof(Number) != 0) {
    return absl::DataLossError(absl::StrCat(path.string(), " is no such file"));
  }
  std::vector<Number> numbers(size / sizeof(Number));
  const size_t got =
      ZSTD_decompress(numbers.data(), size, packed->data(), packed->size());
  if (got != size) {
    return absl::DataLossError(absl::StrCat(path.string(), " is cut short"));
  }
  return numbers;
}

struct Series {
  std::string run;
  uint32_t rank = 0;
  std::string metric;
  size_t offset = 0;
  size_t count = 0;
};

absl::StatusOr<std::vector<Series>> ReadIndex(
    const std::filesystem::path& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  const nlohmann::json index = nlohmann::json::parse(*text, nullptr, false);
  if (index.is_discarded() || !index.contains("series")) {
    return absl::DataLossError(absl::StrCat(path.string(), " is no index"));
  }
  std::vector<Series> all;
  for (const nlohmann::json& entry : index["series"]) {
    all.push_back({.run = entry.value("run", ""),
                   .rank = entry.value("rank", 0u),
                   .metric = entry.value("metric", ""),
                   .offset = entry.value("offset", size_t{0}),
                   .count = entry.value("count", size_t{0})});
  }
  return all;
}

template <typename Number>
bool Equal(const std::vector<Number>& a, absl::Span<const Number> b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin());
}

void AddSeries(const Series& series, absl::Span<const int64_t> steps,
               absl::Span<const int64_t> times, absl::Span<const double> values,
               WorkerRows* worker) {
  auto lane = std::find_if(
      worker->lanes.begin(), worker->lanes.end(), [&](const LaneRows& lane) {
        return Equal(lane.steps, steps) && Equal(lane.times_ns, times);
      });
  if (lane == worker->lanes.end()) {
    lane = worker->lanes.emplace(lane);
    lane->steps.assign(steps.begin(), steps.end());
    lane->times_ns.assign(times.begin(), times.end());
  }
  lane->metrics.push_back(series.metric);
  lane->columns.emplace_back(values.begin(), values.end());
}

}  // namespace

absl::StatusOr<Dataset> ReadTrace(const std::filesystem::path& folder) {
  auto index = ReadIndex(folder / "index.json");
  if (!index.ok()) return index.status();
  auto values = ReadNumbers<double>(folder / "values.f64.zst");
  if (!values.ok()) return values.status();
  auto steps = ReadNumbers<int64_t>(folder / "steps.i64.zst");
  if (!steps.ok()) return steps.status();
  auto times = ReadNumbers<int64_t>(folder / "times.i64.zst");
  if (!times.ok()) return times.status();
  if (steps->size() != values->size() || times->size() != values->size()) {
    return absl::DataLossError(absl::StrCat(values->size(), " values, ",
                                            steps->size(), " steps and ",
                                            times->size(), " times"));
  }
  std::map<std::pair<std::string, uint32_t>, WorkerRows> workers;
  for (const Series& series : *index) {
    if (series.count > values->size() ||
        series.offset > values->size() - series.count) {
      return absl::DataLossError(absl::StrCat("series ", series.metric, " of ",
                                              series.run, " reaches past the ",
                                              values->size(), " values"));
    }
    WorkerRows& worker = workers[{series.run, series.rank}];
    worker.run = series.run;
    worker.rank = series.rank;
    const auto part = [&](const auto& all) {
      return absl::MakeConstSpan(all).subspan(series.offset, series.count);
    };
    AddSeries(series, part(*steps), part(*times), part(*values), &worker);
  }
  Dataset dataset;
  for (auto& [key, worker] : workers) dataset.push_back(std::move(worker));
  return dataset;
}

}  // namespace waterflow::bench
