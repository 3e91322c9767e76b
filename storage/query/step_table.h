// From many workers' points to one answer per step: what all of them had there,
// and which worker gave the extremes. What the statistics mean: accumulator.h.
#ifndef WATERFLOW_STORAGE_QUERY_STEP_TABLE_H_
#define WATERFLOW_STORAGE_QUERY_STEP_TABLE_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "storage/query/accumulator.h"
#include "storage/query/bucket.h"
#include "storage/read.h"

namespace waterflow::storage {

// One bucket a step that any worker has; of several points of a worker at one
// step the last counts. first and last are those of the first and the last
// worker that have the step.
//
// Workers are best added some at a time: those that logged at the same steps
// are measured side by side, and what was added can be forgotten.
class StepTable {
 public:
  // `keep_values`: for quantiles.
  explicit StepTable(bool keep_values = false) : keep_values_(keep_values) {}

  // Each worker once, in the order of workers.
  void Add(absl::Span<const SeriesView> workers);

  size_t size() const { return steps_.size(); }
  // Ascending.
  std::vector<Bucket> Finish(Reduction reduction) const;
  // For each step the quantiles asked for; *exact says whether all are.
  std::vector<double> Quantiles(absl::Span<const double> quantiles,
                                bool* exact) const;
  // What the values take that are kept for quantiles.
  size_t value_bytes() const;

 private:
  // Makes place for ascending steps.
  void Admit(absl::Span<const int64_t> steps);
  // Workers at the same steps.
  void AddTogether(absl::Span<const SeriesView> workers);

  const bool keep_values_;
  std::vector<int64_t> steps_;    // ascending
  std::vector<uint32_t> places_;  // of the accumulator of each
  std::vector<BucketAccumulator> accumulators_;
  std::vector<int64_t> fresh_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_STEP_TABLE_H_
