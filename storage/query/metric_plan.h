// What there is to read of one metric of a lineage: the strips of each worker,
// sealed and not, that may hold a point of the selection. Made from axes and
// heads alone: no block has been read.
#ifndef WATERFLOW_STORAGE_QUERY_METRIC_PLAN_H_
#define WATERFLOW_STORAGE_QUERY_METRIC_PLAN_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "storage/format/axis.h"
#include "storage/ingest/live_state.h"
#include "storage/ingest/strip_builder.h"
#include "storage/query/run_view.h"
#include "storage/query/sealed_reader.h"
#include "storage/read.h"

namespace waterflow::storage {

// A run of a lineage and what is stored of it.
struct LineageSource {
  const RunView* view;
  Snapshot snapshot;
  SealedReader sealed;
  // The lineage's ids of workers, by the run's own.
  std::vector<WorkerId> worker_ids;
};

// Which points to read, and by what they are placed.
struct PointFilter {
  Axis axis = Axis::kStep;
  std::optional<Interval> step_range;
  std::optional<Interval> time_range;
};

// Rows of a head as a strip.
struct HeadStrip {
  Strip strip;
  StripColumns columns;  // of the one metric
};

struct PlannedStrip {
  WorkerId worker;  // of the lineage
  LineageSource* source = nullptr;
  Strip strip;
  // Sealed: where its chunk lies, and which strip there it is.
  SealedReader::Place place;
  uint32_t index = 0;
  // Not sealed: its rows.
  const HeadStrip* head = nullptr;
  // Whether each of its rows passes the filter and is visible; some do.
  bool all_pass = false;
  // Positions of the rows that pass, whether they have a value or not.
  Interval span;
  // Whether its rows are in axis order.
  bool ordered = false;
};

// One worker's strips, in the order in which they were logged.
struct WorkerPlan {
  WorkerId worker;
  absl::Span<const PlannedStrip> strips;
  uint64_t rows = 0;
  // Whether all of their rows are in axis order.
  bool ordered = false;
};

class MetricPlan {
 public:
  MetricPlan() = default;
  MetricPlan(MetricPlan&&) = default;
  MetricPlan& operator=(MetricPlan&&) = default;

  // Reads what a plan takes of the sources, oldest ancestor first, which must
  // outlive it. `metric` counts in the lineage.
  absl::Status Make(absl::Span<const std::unique_ptr<LineageSource>> sources,
                    size_t metric, const PointFilter& filter);

  // By id; those without a row that passes are not there.
  const std::vector<WorkerPlan>& workers() const { return workers_; }
  // From the first to the last position of a row that passes, over all workers;
  // there must be one.
  Interval span() const { return span_; }

 private:
  absl::Status AddSealed(LineageSource* source, const MetricPlace& place,
                         const PointFilter& filter);
  absl::Status AddHeads(LineageSource* source, const MetricPlace& place,
                        const PointFilter& filter);
  void Group(const PointFilter& filter);

  std::vector<PlannedStrip> strips_;
  std::deque<HeadStrip> heads_;  // keep their address
  std::vector<WorkerPlan> workers_;
  Interval span_;
};

// The position of row `row`, whose steps and times are given as far as the
// axis takes them.
int64_t PositionOf(const StripColumns& columns, uint32_t row, Axis axis,
                   int64_t start_ns);

// Whether a visible row passes; steps and times are there as far as the filter
// and what hides rows take them.
class RowFilter {
 public:
  RowFilter(const RunView& run, const Strip& strip, const PointFilter& filter);

  // By the extremes of the strip: no row can pass; all do.
  bool none() const { return none_; }
  bool all() const { return all_; }
  bool needs_steps() const { return hidden_from_.has_value() || steps_; }
  bool needs_times() const { return times_; }

  bool Passes(const StripColumns& columns, uint32_t row) const {
    return (!hidden_from_.has_value() || columns.steps[row] < *hidden_from_) &&
           (!steps_ || filter_.step_range->Contains(columns.steps[row])) &&
           (!times_ || filter_.time_range->Contains(columns.times_ns[row]));
  }

 private:
  const PointFilter& filter_;
  std::optional<int64_t> hidden_from_;  // only where it hides something
  bool steps_ = false;                  // whether to look at each row's
  bool times_ = false;
  bool none_ = false;
  bool all_ = false;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_METRIC_PLAN_H_
