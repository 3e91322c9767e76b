// A run together with the runs that it was forked from, read as one: the rows
// of each ancestor below the step of the fork, then the run's own.
#ifndef WATERFLOW_STORAGE_QUERY_LINEAGE_H_
#define WATERFLOW_STORAGE_QUERY_LINEAGE_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/database/database.h"
#include "storage/ingest/live_state.h"
#include "storage/query/metric_plan.h"
#include "storage/query/run_view.h"
#include "storage/read.h"

namespace waterflow::storage {

struct Lineage {
  // The run itself, its parent, and so on. All list the same metrics in the
  // same order; one that a run does not have has no places there.
  std::vector<RunView> runs;

  const RunView& run() const { return runs.front(); }
  const std::vector<MetricView>& metrics() const { return run().metrics; }
};

class LineageReader {
 public:
  // All must outlive it. Takes the snapshots.
  LineageReader(const Lineage& lineage, const Database* database,
                LiveState* state);

  // Of the newest snapshot.
  Position position() const { return position_; }
  // The workers of all runs, once each. What Series::worker counts in.
  const std::vector<Worker>& workers() const { return workers_; }

  // By ids of workers(), the order of workers: by role and rank.
  const std::vector<uint32_t>& ranks() const { return ranks_; }
  // The workers of a plan in that order.
  std::vector<const WorkerPlan*> ByRank(const MetricPlan& plan) const;

  // What there is to read of one of the lineage's metrics; good as long as
  // this. DATA_LOSS names a bad axis.
  absl::StatusOr<MetricPlan> Plan(size_t metric, const PointFilter& filter);
  // Of all metrics, ordered by name, then worker.
  absl::StatusOr<std::vector<LastValue>> ReadLastValues();

 private:
  std::vector<std::unique_ptr<LineageSource>>
      sources_;  // the oldest ancestor first
  std::vector<Worker> workers_;
  std::vector<uint32_t> ranks_;
  Position position_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_LINEAGE_H_
