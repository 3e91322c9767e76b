// What a selection says: checked, and applied to the workers of a run.
#ifndef WATERFLOW_STORAGE_QUERY_SELECT_H_
#define WATERFLOW_STORAGE_QUERY_SELECT_H_

#include "absl/status/status.h"
#include "storage/query/run_view.h"
#include "storage/selection.h"

namespace waterflow::storage {

// INVALID_ARGUMENT names the field, the value and the limit. `runs` and
// `metrics` are how many are named.
absl::Status CheckSelection(size_t runs,
                            const std::optional<RunFilter>& run_filter,
                            size_t metrics, const MetricPatterns& patterns,
                            const WorkerFilter& worker_filter);

// Of the workers that are selected, only those that the filter takes.
void KeepWorkers(const WorkerFilter& filter, RunView* view);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_SELECT_H_
