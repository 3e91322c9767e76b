#include "client/cli/trace.h"

#include <xxhash.h>
#include <zstd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace waterflow::cli {
namespace {

constexpr int kZstdLevel = 3;

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat("cannot open ", path));
  std::ostringstream bytes;
  bytes << file.rdbuf();
  if (file.bad())
    return absl::DataLossError(absl::StrCat("cannot read ", path));
  return std::move(bytes).str();
}

absl::Status WriteFile(const std::string& path, absl::string_view bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) return absl::UnknownError(absl::StrCat("cannot write ", path));
  return absl::OkStatus();
}

absl::StatusOr<std::string> Decompress(const std::string& path) {
  auto packed = ReadFile(path);
  if (!packed.ok()) return packed.status();
  const std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context(
      ZSTD_createDCtx(), ZSTD_freeDCtx);
  std::string bytes;
  std::string part(ZSTD_DStreamOutSize(), '\0');
  ZSTD_inBuffer in = {packed->data(), packed->size(), 0};
  size_t left = 1;
  while (in.pos < in.size) {
    ZSTD_outBuffer out = {part.data(), part.size(), 0};
    left = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_isError(left) != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": ", ZSTD_getErrorName(left)));
    }
    bytes.append(part.data(), out.pos);
  }
  if (left != 0) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is cut short"));
  }
  return bytes;
}

template <typename T>
absl::StatusOr<std::vector<T>> ReadColumn(const std::string& folder,
                                          const std::string& name,
                                          uint64_t samples) {
  const std::string path = absl::StrCat(folder, "/", name, ".zst");
  auto bytes = Decompress(path);
  if (!bytes.ok()) return bytes.status();
  if (bytes->size() != samples * sizeof(T)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " has ", bytes->size(), " bytes, ", samples,
                     " samples need ", samples * sizeof(T)));
  }
  std::vector<T> column(samples);
  std::memcpy(column.data(), bytes->data(), bytes->size());
  return column;
}

template <typename T>
absl::Status WriteColumn(const std::string& folder, const std::string& name,
                         const std::vector<T>& column) {
  const size_t size = column.size() * sizeof(T);
  std::string packed(ZSTD_compressBound(size), '\0');
  const size_t written = ZSTD_compress(packed.data(), packed.size(),
                                       column.data(), size, kZstdLevel);
  if (ZSTD_isError(written) != 0) {
    return absl::InternalError(ZSTD_getErrorName(written));
  }
  packed.resize(written);
  return WriteFile(absl::StrCat(folder, "/", name, ".zst"), packed);
}

absl::Status ReadSeries(const nlohmann::ordered_json& index, uint64_t samples,
                        Trace* trace) {
  std::set<std::tuple<std::string, uint32_t, std::string>> seen;
  for (const auto& entry : index.at("series")) {
    TraceSeries series;
    series.run = entry.at("run").get<std::string>();
    series.rank = entry.at("rank").get<uint32_t>();
    series.metric = entry.at("metric").get<std::string>();
    series.cls = entry.value("cls", "");
    series.native = entry.value("native", "");
    series.offset = entry.at("offset").get<uint64_t>();
    series.count = entry.at("count").get<uint64_t>();
    const std::string name = absl::StrCat("series ", series.run, " rank ",
                                          series.rank, " ", series.metric);
    if (series.offset > samples || series.count > samples - series.offset) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, " lies outside of the ", samples, " samples"));
    }
    if (!seen.emplace(series.run, series.rank, series.metric).second) {
      return absl::InvalidArgumentError(absl::StrCat(name, " is there twice"));
    }
    trace->series.push_back(std::move(series));
  }
  return absl::OkStatus();
}

absl::StatusOr<Trace> ReadIndexed(const std::string& folder,
                                  const std::string& text) {
  const auto index = nlohmann::ordered_json::parse(text);
  if (const int version = index.at("version").get<int>(); version != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        folder, " is a trace of version ", version, ", this program reads 1"));
  }
  Trace trace;
  trace.fingerprint =
      absl::StrFormat("%016x", XXH3_64bits(text.data(), text.size()));
  trace.runs = index.value("runs", nlohmann::ordered_json::object());
  const auto samples = index.at("samples").get<uint64_t>();
  if (absl::Status status = ReadSeries(index, samples, &trace); !status.ok()) {
    return status;
  }
  auto values = ReadColumn<double>(
      folder, index.at("value_file").get<std::string>(), samples);
  if (!values.ok()) return values.status();
  auto steps = ReadColumn<int64_t>(
      folder, index.at("step_file").get<std::string>(), samples);
  if (!steps.ok()) return steps.status();
  auto times = ReadColumn<int64_t>(
      folder, index.at("time_file").get<std::string>(), samples);
  if (!times.ok()) return times.status();
  trace.values = *std::move(values);
  trace.steps = *std::move(steps);
  trace.times = *std::move(times);
  return trace;
}

}  // namespace

absl::StatusOr<Trace> ReadTrace(const std::string& folder) {
  auto text = ReadFile(absl::StrCat(folder, "/index.json"));
  if (!text.ok()) return text.status();
  try {
    return ReadIndexed(folder, *text);
  } catch (const nlohmann::json::exception& e) {
    return absl::InvalidArgumentError(
        absl::StrCat(folder, "/index.json: ", e.what()));
  }
}

absl::Status WriteTrace(const std::string& folder, const Trace& trace) {
  if (std::filesystem::exists(folder + "/index.json")) {
    return absl::AlreadyExistsError(
        absl::StrCat(folder, " holds a trace already"));
  }
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return absl::UnknownError(
        absl::StrCat("cannot make ", folder, ": ", error.message()));
  }
  nlohmann::ordered_json index;
  index["version"] = 1;
  index["samples"] = trace.values.size();
  index["series_count"] = trace.series.size();
  index["value_file"] = "values.f64";
  index["step_file"] = "steps.i64";
  index["time_file"] = "times.i64";
  index["runs"] = trace.runs;
  index["series"] = nlohmann::ordered_json::array();
  for (const TraceSeries& series : trace.series) {
    index["series"].push_back({{"id", index["series"].size()},
                               {"run", series.run},
                               {"rank", series.rank},
                               {"metric", series.metric},
                               {"cls", series.cls},
                               {"native", series.native},
                               {"offset", series.offset},
                               {"count", series.count}});
  }
  for (const absl::Status& status :
       {WriteColumn(folder, "values.f64", trace.values),
        WriteColumn(folder, "steps.i64", trace.steps),
        WriteColumn(folder, "times.i64", trace.times),
        // Last: a folder with an index is whole.
        WriteFile(folder + "/index.json", index.dump())}) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace waterflow::cli
