// A run together with the runs that it was forked from, read as one: the rows
// of each ancestor below the step of the fork, then the run's own.
#ifndef WATERFLOW_STORAGE_QUERY_LINEAGE_H_
#define WATERFLOW_STORAGE_QUERY_LINEAGE_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/database/database.h"
#include "storage/ingest/live_state.h"
#include "storage/query/run_view.h"
#include "storage/query/series.h"
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

  // Series of one of the lineage's metrics, by role and rank, each in axis
  // order; points at one position in the order in which they were logged.
  // DATA_LOSS names a bad block.
  absl::StatusOr<std::vector<Series>> Read(size_t metric,
                                           const PointFilter& filter);
  // Of all metrics, ordered by name, then worker.
  absl::StatusOr<std::vector<LastValue>> ReadLastValues();

 private:
  struct Source {
    const RunView* view;
    Snapshot snapshot;
    SealedReader sealed;
    std::vector<WorkerId> worker_ids;  // in workers_, by the run's own
  };

  absl::StatusOr<std::vector<Series>> ReadUnsorted(size_t metric,
                                                   const PointFilter& filter);

  std::vector<std::unique_ptr<Source>> sources_;  // the oldest ancestor first
  std::vector<Worker> workers_;
  Position position_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_LINEAGE_H_
