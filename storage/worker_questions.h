// Questions about the workers of a run: who has the greatest loss, who is slow,
// who has not come as far as the others. The meaning of every field is that of
// query.proto.
#ifndef WATERFLOW_STORAGE_WORKER_QUESTIONS_H_
#define WATERFLOW_STORAGE_WORKER_QUESTIONS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "storage/model/ids.h"
#include "storage/model/records.h"
#include "storage/read.h"

namespace waterflow::storage {

enum class WorkerStatistic : uint8_t {
  kMean = 1,
  kMin = 2,
  kMax = 3,
  kFirst = 4,
  kLast = 5,
  kSum = 6,
  kStddev = 7,
  kCount = 8,
  kNonFinite = 9,
  kDifference = 10,
};

struct RankWorkersSpec {
  Uuid run = {};
  std::string metric = {};
  std::optional<std::vector<Worker>> workers = std::nullopt;  // absent: all
  std::optional<Interval> step_range = std::nullopt;
  std::optional<Interval> time_range = std::nullopt;
  WorkerStatistic by = WorkerStatistic::kMean;
  bool lowest_first = false;
  uint32_t limit = 0;  // 0: 10
  // Only workers that are at least so far off; 0: all.
  double min_deviation = 0;
  std::function<bool()> cancelled = nullptr;
};

struct RankedWorker {
  Worker worker = {};
  double value = 0;  // of the statistic; NaN: it has none
  // From the median over workers, in median absolute deviations that are
  // scaled to a standard deviation.
  double deviation = 0;
  Bucket points = {};  // all of the range
};

struct WorkerRanking {
  std::vector<RankedWorker> workers = {};
  uint64_t worker_count = 0;  // that have a point
  double median = 0;
  double mad = 0;
};

struct StragglersSpec {
  Uuid run = {};
  std::optional<std::vector<Worker>> workers = std::nullopt;
  std::optional<Interval> step_range = std::nullopt;
  uint32_t limit = 0;  // 0: 10
  std::function<bool()> cancelled = nullptr;
};

struct Straggler {
  Worker worker = {};
  double mean = 0;  // of a step
  double max = 0;
  double deviation = 0;
  uint64_t slowest_steps = 0;  // at which nobody was slower
};

struct Stragglers {
  // What a step takes is told by this metric; empty: by the time between a
  // worker's rows, in seconds.
  std::string metric = {};
  std::string unit = {};
  std::vector<Straggler> workers = {};
  uint64_t worker_count = 0;
  uint64_t step_count = 0;
  double median = 0;
};

struct MissingSpec {
  Uuid run = {};
  // Absent: the greatest step of any worker.
  std::optional<int64_t> step = std::nullopt;
};

struct MissingWorker {
  Worker worker = {};
  std::optional<int64_t> last_step = std::nullopt;
  int64_t last_seen_ns = 0;
};

struct MissingWorkers {
  int64_t step = 0;
  std::vector<MissingWorker> workers = {};
  uint64_t worker_count = 0;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_WORKER_QUESTIONS_H_
