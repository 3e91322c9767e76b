// Reads the points of one metric of a run, worker by worker: sealed chunks
// first, then heads, cut to the ranges asked for, without what a later attempt
// hides, in axis order.
#ifndef WATERFLOW_STORAGE_QUERY_SERIES_H_
#define WATERFLOW_STORAGE_QUERY_SERIES_H_

#include <cstdint>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "storage/ingest/live_state.h"
#include "storage/ingest/strip_builder.h"
#include "storage/query/run_view.h"
#include "storage/query/sealed_reader.h"
#include "storage/read.h"

namespace waterflow::storage {

// What to keep of a series.
struct PointFilter {
  Axis axis = Axis::kStep;
  std::optional<Interval> step_range;
  std::optional<Interval> time_range;
};

// One worker's points as columns of equal length, in axis order; points at the
// same position in the order in which they were logged.
struct Series {
  WorkerId worker;
  std::vector<int64_t> positions;  // on the axis
  std::vector<int64_t> steps;      // 0 where there is none
  std::vector<int64_t> times_ns;
  std::vector<double> values;
  std::vector<uint8_t> has_step;
  std::vector<uint8_t> time_stamped;
};

// Points at one step go by time; equal ones keep their order.
void SortByAxis(Axis axis, Series* series);

class SeriesReader {
 public:
  // All must outlive it.
  SeriesReader(const RunView& run, const Snapshot& snapshot,
               SealedReader* sealed)
      : run_(run), snapshot_(snapshot), sealed_(sealed) {}

  // The workers that have a point, by id. DATA_LOSS names a bad block.
  absl::StatusOr<std::vector<Series>> Read(const MetricView& metric,
                                           const PointFilter& filter);

 private:
  using SeriesByWorker = absl::btree_map<WorkerId, Series>;

  absl::Status ReadSealed(const MetricPlace& place, const PointFilter& filter,
                          SeriesByWorker* out);
  absl::Status ReadHeads(const MetricPlace& place, const PointFilter& filter,
                         SeriesByWorker* out);
  void Append(const Strip& strip, const StripColumns& rows,
              const ChunkValues& chunk, const PointFilter& filter,
              SeriesByWorker* out);

  const RunView& run_;
  const Snapshot& snapshot_;
  SealedReader* const sealed_;
  StripColumns columns_;
  ChunkValues chunk_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_SERIES_H_
