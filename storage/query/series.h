// Reads the points of one metric of a run, worker by worker: sealed chunks
// first, then heads, cut to the ranges asked for, without what a later attempt
// hides.
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
  // Steps, times and flags of each point too; else positions and values alone.
  bool whole = true;
};

// One worker's points as columns of equal length.
struct Series {
  WorkerId worker;
  std::vector<int64_t> positions;  // on the axis
  std::vector<double> values;
  // Empty unless PointFilter::whole.
  std::vector<int64_t> steps;  // 0 where there is none
  std::vector<int64_t> times_ns;
  std::vector<uint8_t> has_step;
  std::vector<uint8_t> time_stamped;

  bool whole() const { return !times_ns.empty(); }
};

// Points at one step go by time; equal ones keep their order. False, and
// nothing done, when that takes times that the series does not have.
bool SortByAxis(Axis axis, Series* series);

class SeriesReader {
 public:
  // All must outlive it.
  SeriesReader(const RunView& run, const Snapshot& snapshot,
               SealedReader* sealed)
      : run_(run), snapshot_(snapshot), sealed_(sealed) {}

  // The workers that have a point, by id, each in the order in which it was
  // logged. DATA_LOSS names a bad block.
  absl::StatusOr<std::vector<Series>> Read(const MetricView& metric,
                                           const PointFilter& filter);

 private:
  using SeriesByWorker = absl::btree_map<WorkerId, Series>;

  absl::Status ReadSealed(const MetricPlace& place, const PointFilter& filter,
                          SeriesByWorker* out);
  // Makes room for all that may come of these rows: growing by and by copies
  // long series several times.
  void Reserve(const std::vector<SealedRows>& all, const PointFilter& filter,
               SeriesByWorker* out) const;
  absl::Status ReadHeads(const MetricPlace& place, const PointFilter& filter,
                         SeriesByWorker* out);
  void Append(const Strip& strip, const StripColumns& rows,
              const ChunkValues& chunk, const PointFilter& filter,
              SeriesByWorker* out);
  // All columns but the values, of `count` rows: row_of(0) and so on.
  template <typename RowOf>
  void AppendRows(const Strip& strip, const StripColumns& rows, size_t count,
                  RowOf row_of, const PointFilter& filter, Series* s) const;

  const RunView& run_;
  const Snapshot& snapshot_;
  SealedReader* const sealed_;
  StripColumns columns_;
  ChunkValues chunk_;
  std::vector<uint32_t> kept_;  // see Append
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_SERIES_H_
