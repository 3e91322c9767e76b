// From the batches of a head to strips: rows of one worker that share attempt
// and presence of step and time, cut to the size of a chunk, with their values
// column by column. This is where rows are taken apart.
#ifndef WATERFLOW_STORAGE_INGEST_STRIP_BUILDER_H_
#define WATERFLOW_STORAGE_INGEST_STRIP_BUILDER_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "storage/format/axis.h"
#include "storage/format/batch.h"
#include "storage/format/block.h"
#include "storage/ingest/head.h"
#include "storage/ingest/strip_grid.h"

namespace waterflow::storage {

// Some rows of one batch.
struct BatchPiece {
  size_t batch = 0;
  uint32_t first_row = 0;  // in the batch
  uint32_t rows = 0;
};

struct StripPlan {
  Strip strip;  // worker, attempt, has_step, time_stamped, first_row, rows
  std::vector<BatchPiece> pieces;
};

// Cuts batches (of one worker, in row order) into strips that end on the lines
// of `grid`. `first_row` is the row index of the first row.
void PlanStrips(WorkerId worker, uint64_t first_row,
                absl::Span<const HeadBatchView> batches, const StripGrid& grid,
                std::vector<StripPlan>* plans);

// The rows of a strip as columns. Reused from strip to strip, so that its
// memory is.
struct StripColumns {
  std::vector<int64_t> steps;
  std::vector<int64_t> times_ns;
  std::vector<ChunkValues> metrics;  // by column of the schema
};

// Reads a plan's rows for all metrics of the schema, or only for those in
// `columns` (then `metrics` has an entry for each of these, in their order,
// which must ascend).
class StripReader {
 public:
  explicit StripReader(uint32_t metric_count);
  StripReader(uint32_t metric_count, absl::Span<const uint32_t> columns);

  absl::Status Read(const StripPlan& plan,
                    absl::Span<const HeadBatchView> batches, StripColumns* out);

 private:
  // How far the column of one metric has come.
  struct Fill {
    ChunkValues* chunk = nullptr;
    uint32_t rows = 0;         // of the strip, accounted for
    uint32_t count = 0;        // values
    double* values = nullptr;  // of the chunk, as long as the strip
    bool plain = false;        // every row so far has a value
  };

  void AddDense(const ColumnView& column, const BatchPiece& piece, uint32_t at,
                uint32_t strip_rows);
  void AddSparse(const ColumnView& column, const BatchPiece& piece, uint32_t at,
                 uint32_t strip_rows);
  // Accounts for rows [at, at + rows) and returns where their values go.
  static double* Extend(Fill& fill, uint32_t at, uint32_t rows,
                        uint32_t strip_rows, bool dense);

  std::vector<int32_t> slot_of_;  // column -> entry of metrics, or -1
  std::vector<Fill> fills_;       // per entry of metrics
  BatchView view_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_INGEST_STRIP_BUILDER_H_
