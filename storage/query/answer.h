// From the series of a metric to the parts of an answer: raw points, buckets,
// or either of them reduced over the workers.
#ifndef WATERFLOW_STORAGE_QUERY_ANSWER_H_
#define WATERFLOW_STORAGE_QUERY_ANSWER_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "storage/query/run_view.h"
#include "storage/query/series.h"
#include "storage/read.h"

namespace waterflow::storage {

// Whether the question makes sense; the error names the field.
absl::Status CheckReadSpec(const ReadSpec& spec);

// `workers` are those that the series count in.
absl::Status Answer(const ReadSpec& spec, const Uuid& run,
                    absl::Span<const Worker> workers, const MetricView& metric,
                    const std::vector<Series>& series, const PartSink& sink);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_ANSWER_H_
