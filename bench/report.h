// What a run of the benchmark found, as a table for people and as JSON.
#ifndef WATERFLOW_BENCH_REPORT_H_
#define WATERFLOW_BENCH_REPORT_H_

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "bench/goal.h"
#include "bench/load.h"

namespace waterflow::bench {

// Where and on what it ran.
struct Setting {
  std::string date;  // local time with its zone
  std::string cpu_model;
  uint32_t cores = 0;
  std::string server_version;
  std::string storage_version;  // which RocksDB
  std::string sync;
  std::string workload;
};

// The current date and this machine.
Setting Here();

struct LoadFigures {
  std::string load;  // "W1 once"
  LoadResult result = {};
  std::optional<double> disk_bytes_per_sample = {};
  // CPU of the sealing thread, all samples sealed.
  std::optional<double> seal_ns_per_sample = {};
  uint64_t peak_resident_bytes = 0;

  double samples() const { return static_cast<double>(result.counts.samples); }
  double server_ns_per_sample() const {
    return result.spent.server_cpu_seconds * 1e9 / samples();
  }
  double client_ns_per_sample() const {
    return result.client_cpu_seconds * 1e9 / samples();
  }
};

struct QueryFigures {
  std::string query;
  uint64_t points = 0;
  double p50_ms = 0;
  double p99_ms = 0;
  double server_cpu_ms = 0;
};

struct IdleFigures {
  double core_percent = 0;
  uint64_t resident_bytes = 0;
};

struct Report {
  Setting setting;
  std::vector<LoadFigures> loads;
  std::vector<QueryFigures> queries;
  std::optional<IdleFigures> idle;
  std::vector<Goal> goals;
};

void PrintTable(const Report& report, std::ostream& out);
std::string ToJson(const Report& report);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_REPORT_H_
