// A folder of recorded telemetry: three columns of all samples, series after
// series, and an index that says where each series lies.
//
//   values.f64.zst  float64, little-endian, zstd      steps.i64.zst  int64
//   times.i64.zst   int64, Unix nanoseconds
//   index.json      {"version": 1, "samples", "series_count",
//                    "value_file", "step_file", "time_file",   without ".zst"
//                    "runs": {name: {params}},
//                    "series": [{"id", "run", "rank", "metric", "cls",
//                    "native",
//                                "offset", "count"}]}   offset, count in
//                                samples
//
// examples/trace is one; its README tells what is in it.
#ifndef WATERFLOW_CLIENT_CLI_TRACE_H_
#define WATERFLOW_CLIENT_CLI_TRACE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "nlohmann/json.hpp"

namespace waterflow::cli {

struct TraceSeries {
  std::string run;
  uint32_t rank = 0;
  std::string metric;
  std::string cls;     // what kind of metric: loss, norm, time ...
  std::string native;  // what type it had in the framework: f4, f8, i8
  uint64_t offset = 0;
  uint64_t count = 0;
};

struct Trace {
  // Names its content: equal for equal index files.
  std::string fingerprint;
  std::vector<TraceSeries> series;
  nlohmann::ordered_json runs = nlohmann::ordered_json::object();
  std::vector<double> values;
  std::vector<int64_t> steps;
  std::vector<int64_t> times;

  absl::Span<const double> values_of(const TraceSeries& s) const {
    return absl::MakeConstSpan(values).subspan(s.offset, s.count);
  }
  absl::Span<const int64_t> steps_of(const TraceSeries& s) const {
    return absl::MakeConstSpan(steps).subspan(s.offset, s.count);
  }
  absl::Span<const int64_t> times_of(const TraceSeries& s) const {
    return absl::MakeConstSpan(times).subspan(s.offset, s.count);
  }
};

// NOT_FOUND without an index.json; INVALID_ARGUMENT names what does not fit.
absl::StatusOr<Trace> ReadTrace(const std::string& folder);

// Makes the folder. ALREADY_EXISTS when it holds a trace.
absl::Status WriteTrace(const std::string& folder, const Trace& trace);

}  // namespace waterflow::cli

#endif  // WATERFLOW_CLIENT_CLI_TRACE_H_
