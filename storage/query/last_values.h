// The last value of each series, its extremes and its count: from summaries
// where that is exact, from the points where it is not.
#ifndef WATERFLOW_STORAGE_QUERY_LAST_VALUES_H_
#define WATERFLOW_STORAGE_QUERY_LAST_VALUES_H_

#include <vector>

#include "absl/status/statusor.h"
#include "storage/ingest/live_state.h"
#include "storage/query/run_view.h"
#include "storage/query/sealed_reader.h"
#include "storage/read.h"

namespace waterflow::storage {

// For the metrics and workers that `run` selects, ordered by metric name, then
// worker.
absl::StatusOr<std::vector<LastValue>> ReadLastValues(const RunView& run,
                                                      const Snapshot& snapshot,
                                                      SealedReader* sealed);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_LAST_VALUES_H_
