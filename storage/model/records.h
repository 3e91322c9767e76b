// The nouns of the store as plain structs: project, run, worker, metric. What
// each field means to a user is said in proto/waterflow/v1.
#ifndef WATERFLOW_STORAGE_MODEL_RECORDS_H_
#define WATERFLOW_STORAGE_MODEL_RECORDS_H_

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/model/ids.h"

namespace waterflow::storage {

// Ordered, so that what is written twice is written alike.
using Tags = std::map<std::string, std::string>;

// Numbers as in metric.proto; they are stored.
enum class Goal : uint8_t { kUnspecified = 0, kMinimize = 1, kMaximize = 2 };

enum class Reduction : uint8_t {
  kNone = 0,  // in a metric: not said, so mean
  kMean = 1,
  kSum = 2,
  kMin = 3,
  kMax = 4,
  kDefault = 5,  // in a read: by the metric's own
};

// What of a metric's points is looked at, to make one number of a run: of each
// worker's, then the workers are reduced.
enum class Statistic : uint8_t {
  kLast,  // of the greatest step, then time
  kMin,
  kMax,
  kMean,
  kBest,    // kMin or kMax, as the metric's goal says
  kAtBest,  // the value at the step where another metric is best
};

struct Metric {
  std::string name;
  std::string unit;
  std::string description;
  Goal goal = Goal::kUnspecified;
  Reduction reduction = Reduction::kNone;
  std::string role;
  std::string step_metric;

  friend bool operator==(const Metric&, const Metric&) = default;
};

struct Worker {
  std::string role;
  uint32_t rank = 0;

  friend auto operator<=>(const Worker&, const Worker&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Worker& w) {
    return H::combine(std::move(h), w.role, w.rank);
  }
};

struct WorkerInfo {
  Worker worker;
  uint32_t attempt = 0;
  uint32_t world_size = 0;
  int64_t first_seen_ns = 0;
  int64_t last_seen_ns = 0;
  int64_t clock_offset_ns = 0;
  uint64_t rows = 0;
};

struct Project {
  ProjectId id;
  std::string name;
  Tags tags;
  int64_t created_ns = 0;
  int64_t updated_ns = 0;
  uint64_t run_count = 0;
  // How long its runs are kept after their last write. 0: as long as the
  // server says, kKeepForever: always.
  int64_t retention_age_ns = 0;
  // What it may take in and keep; 0: no limit of its own.
  uint64_t max_rows_per_second = 0;
  uint64_t max_disk_bytes = 0;
  // What its runs take in files, about, as of the last look; 0 as long as
  // there is no limit to compare it with.
  uint64_t disk_bytes = 0;
};
inline constexpr int64_t kKeepForever = -1;

// Numbers as in tracking.proto; they are stored (but for kLost).
enum class RunStatus : uint8_t {
  kUnspecified = 0,
  kRunning = 1,
  kScheduled = 2,
  kFinished = 3,
  kFailed = 4,
  kKilled = 5,
  kLost = 6,
};

// What a run was forked from.
struct Fork {
  Uuid run;
  int64_t step = 0;

  friend bool operator==(const Fork&, const Fork&) = default;
};

struct Run {
  Uuid id;
  std::string project;
  std::string name;
  RunStatus status = RunStatus::kRunning;
  int64_t start_ns = 0;
  int64_t end_ns = 0;
  Tags params;
  Tags tags;
  std::string key;
  int64_t created_ns = 0;
  int64_t updated_ns = 0;
  uint64_t worker_count = 0;
  uint64_t row_count = 0;
  uint64_t value_count = 0;
  uint32_t attempt = 0;
  std::optional<Fork> forked_from;
};

// Rows of a lane that can never come: [first_row, end_row).
struct LostRange {
  Uuid run;
  Worker worker;
  std::vector<std::string> metrics;
  uint64_t first_row = 0;
  uint64_t end_row = 0;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_MODEL_RECORDS_H_
