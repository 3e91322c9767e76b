// A question to the store and the parts of its answer. The meaning of every
// field is that of query.proto.
#ifndef WATERFLOW_STORAGE_READ_H_
#define WATERFLOW_STORAGE_READ_H_

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "storage/derivation.h"
#include "storage/model/ids.h"
#include "storage/model/records.h"
#include "storage/selection.h"

namespace waterflow::storage {

enum class Axis : uint8_t { kStep = 1, kTime = 2, kRelativeTime = 3 };

// Holds both ends.
struct Interval {
  int64_t first = std::numeric_limits<int64_t>::min();
  int64_t last = std::numeric_limits<int64_t>::max();

  bool Contains(int64_t x) const { return first <= x && x <= last; }
};

struct ReadSpec {
  std::vector<Uuid> runs;
  std::vector<std::string> metrics;
  std::optional<std::vector<Worker>> workers;  // absent: all
  Axis axis = Axis::kStep;
  std::optional<Interval> step_range;
  std::optional<Interval> time_range;
  uint32_t max_points = 0;  // 0: raw
  Reduction reduction = Reduction::kNone;
  Position at_least;
  // Of each bucket of a reduced answer; 0 to 1 each.
  std::vector<double> quantiles;
  // Only rows of this attempt, also those that later ones hide; or those of
  // all.
  std::optional<uint32_t> attempt;
  bool all_attempts = false;
  // Asked now and then; true ends the read with CANCELLED. Null: never.
  std::function<bool()> cancelled = nullptr;
  MetricPatterns metric_patterns;       // beside `metrics`
  std::optional<RunFilter> run_filter;  // in place of `runs`
  WorkerFilter worker_filter;
  std::vector<Derivation> derivations;
  // Buckets as for positions from here to there, and only points in between:
  // those of several runs then lie on one grid. Absent: what there is.
  std::optional<Interval> bucket_span = std::nullopt;
};

// Raw points as columns of equal length.
struct Points {
  std::vector<int64_t> steps;  // 0 where has_step is false
  std::vector<int64_t> times_ns;
  std::vector<double> values;
  std::vector<bool> has_step;      // empty: all have
  std::vector<bool> time_stamped;  // empty: none is

  size_t size() const { return values.size(); }
};

struct Bucket {
  int64_t first_position = 0;
  int64_t last_position = 0;
  uint64_t count = 0;
  uint64_t nan_count = 0;
  uint64_t pos_inf_count = 0;
  uint64_t neg_inf_count = 0;
  double value = 0;
  double mean = 0;
  double stddev = 0;
  double min = 0;
  double max = 0;
  int64_t min_position = 0;
  int64_t max_position = 0;
  double first = 0;
  double last = 0;
  uint32_t min_worker = 0;  // indexes into SeriesPart::workers
  uint32_t max_worker = 0;
};

struct SeriesPart {
  Uuid run;
  std::string metric;
  std::optional<Worker> worker;  // absent: reduced over `workers`
  Points points;                 // filled, or `buckets` is
  std::vector<Bucket> buckets;
  std::vector<Worker> workers;
  Reduction reduction = Reduction::kMean;
  // ReadSpec::quantiles of each bucket, bucket by bucket, and whether all are
  // exact.
  std::vector<double> quantiles;
  bool quantiles_exact = true;
};

// From this step on an attempt of a run hides the rows of lower ones.
struct AttemptBoundary {
  Uuid run;
  uint32_t attempt = 0;
  int64_t step = 0;
};

struct ReadSummary {
  bool exact = true;
  uint64_t points_read = 0;
  uint64_t points_summarised = 0;
  uint64_t chunks_decoded = 0;
  uint64_t chunks_summarised = 0;
  Position position;
  std::vector<LostRange> lost;
  std::vector<AttemptBoundary> attempts;
};

// Takes the parts of an answer one by one; an error from it ends the read (the
// client is gone).
using PartSink = std::function<absl::Status(SeriesPart)>;

struct LastValue {
  std::string metric;
  Worker worker;
  double value = 0;
  std::optional<int64_t> step;
  int64_t time_ns = 0;
  uint64_t count = 0;
  uint64_t nan_count = 0;
  uint64_t pos_inf_count = 0;
  uint64_t neg_inf_count = 0;
  double min = 0;
  double max = 0;
  double mean = 0;
};

struct LastValuesSpec {
  Uuid run;
  std::vector<std::string> metrics;            // empty: all
  std::optional<std::vector<Worker>> workers;  // absent: all
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_READ_H_
