// What one run of a load says, as numbers by name: one list of names for all
// subjects, so that tables, JSON, charts and comparisons know no subject.
#ifndef WATERFLOW_BENCH_INGEST_MEASURES_H_
#define WATERFLOW_BENCH_INGEST_MEASURES_H_

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "bench/load.h"

namespace waterflow::bench {

using Measures = std::map<std::string, double>;

enum class Better { kLower, kHigher, kNeither };

struct MeasureInfo {
  const char* key;    // "server_ns_per_sample"
  const char* label;  // "server CPU"
  const char* unit;   // "ns/sample"
  Better better;
};

// In the order of tables.
const std::vector<MeasureInfo>& MeasureInfos();
// Null for one that is not in the list.
const MeasureInfo* FindMeasure(absl::string_view key);

// Those that every load has.
Measures FromLoad(const LoadResult& result);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_INGEST_MEASURES_H_
