// Reads the points of one metric of one worker, from chunks and heads, without
// those that the filter or a later attempt hides.
#ifndef WATERFLOW_STORAGE_QUERY_SERIES_H_
#define WATERFLOW_STORAGE_QUERY_SERIES_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "storage/format/block.h"
#include "storage/query/metric_plan.h"

namespace waterflow::storage {

// One worker's points as columns of equal length, in axis order; those at one
// position by time, then as they were logged.
struct Series {
  // On the axis. Workers that log together may share them.
  std::shared_ptr<const std::vector<int64_t>> positions;
  std::vector<double> values;
  // Empty unless they are asked for.
  std::vector<int64_t> steps;  // 0 where there is none
  std::vector<int64_t> times_ns;
  std::vector<uint8_t> has_step;
  std::vector<uint8_t> time_stamped;
};

// What answering took.
struct ReadCounts {
  uint64_t points_read = 0;
  uint64_t points_summarised = 0;
  uint64_t chunks_decoded = 0;
  uint64_t chunks_summarised = 0;
};

class SeriesReader {
 public:
  // `filter` is that of the plans. All must outlive it.
  SeriesReader(const PointFilter& filter, ReadCounts* counts)
      : filter_(filter), counts_(counts) {}

  // All points of a worker; `whole`: with their steps, times and flags.
  // Memory: 16 bytes a row, 34 when whole. DATA_LOSS names a bad block.
  absl::Status Read(const WorkerPlan& worker, bool whole, Series* series);

  // The points of one strip, in the order in which they were logged. Good until
  // the next read.
  struct StripPoints {
    absl::Span<const int64_t> positions;
    absl::Span<const double> values;
    // Their rows in the strip; empty: each row has one.
    absl::Span<const uint32_t> rows;
  };
  absl::StatusOr<StripPoints> ReadStrip(const PlannedStrip& planned);

 private:
  // Reads the chunk and as much of the axis as it takes. Nothing else when no
  // row has a value.
  absl::Status Load(const PlannedStrip& planned, bool whole);
  // The rows that pass and have a value go to kept_, their values to the end of
  // *values. Returns whether that are all rows of the strip; kept_ is empty
  // then.
  bool Keep(const PlannedStrip& planned, std::vector<double>* values);
  void AppendAxis(const PlannedStrip& planned, bool all, size_t count,
                  bool whole, std::vector<int64_t>* positions, Series* series);
  void Sort(bool whole, std::vector<int64_t>* positions, Series* series) const;

  const PointFilter& filter_;
  ReadCounts* const counts_;
  // Of the strip that was loaded last.
  const StripColumns* columns_ = nullptr;
  const ChunkValues* chunk_ = nullptr;
  std::vector<uint32_t> kept_;
  std::vector<int64_t> positions_;
  std::vector<double> values_;
  // What was decoded, and whose steps they are.
  StripColumns decoded_;
  ChunkValues decoded_chunk_;
  const SealedRows* steps_rows_ = nullptr;
  uint32_t steps_index_ = 0;
  // Positions that the next worker may share: those of all rows of the strip
  // whose steps they are.
  std::shared_ptr<const std::vector<int64_t>> shared_;
  const SealedRows* shared_rows_ = nullptr;
  uint32_t shared_index_ = 0;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_SERIES_H_
