// Where strips end: on lines that lie as many rows apart as a strip may have.
//
// Buckets of a chart hold 2^k steps on one grid (storage/query/bucket.h), and a
// strip that lies in one bucket is answered from its summary. So the strips of
// a worker that logs each step once end where its steps are multiples of 2^k,
// and those of others where its row indices are. Generations that follow each
// other keep to the same lines, and so do strips that a merge joins.
#ifndef WATERFLOW_STORAGE_INGEST_STRIP_GRID_H_
#define WATERFLOW_STORAGE_INGEST_STRIP_GRID_H_

#include <bit>
#include <cstdint>

#include "storage/format/axis.h"

namespace waterflow::storage {

// Most rows of a strip of a schema with so many metrics, a power of two. A seal
// takes rows apart one strip at a time, all metrics side by side, so a strip is
// as long as fits some MiB.
inline uint32_t StripRows(uint32_t metric_count) {
  constexpr uint32_t kStripValues = 1 << 21;
  const uint32_t rows =
      metric_count == 0 ? kMaxStripRows : kStripValues / metric_count;
  return rows < 64              ? 64
         : rows > kMaxStripRows ? kMaxStripRows
                                : std::bit_floor(rows);
}

class StripGrid {
 public:
  // `strip_rows` is a power of two. Lines by row index.
  explicit StripGrid(uint32_t strip_rows) : strip_rows_(strip_rows) {}

  // Of rows that have these steps at their ends: lines by step, if each step is
  // there once (which is guessed from the ends).
  StripGrid(uint32_t strip_rows, uint64_t first_row, uint64_t rows,
            int64_t first_step, int64_t last_step)
      : strip_rows_(strip_rows) {
    const uint64_t steps = static_cast<uint64_t>(last_step) -
                           static_cast<uint64_t>(first_step) + 1;
    if (steps == rows) offset_ = static_cast<uint64_t>(first_step) - first_row;
  }

  uint32_t strip_rows() const { return strip_rows_; }
  // How many rows there are from this one up to the next line; at least 1.
  uint32_t RowsToLine(uint64_t row) const {
    return strip_rows_ -
           static_cast<uint32_t>((row + offset_) & (strip_rows_ - 1));
  }
  // Whether a strip ends before this row.
  bool IsLine(uint64_t row) const { return RowsToLine(row) == strip_rows_; }

 private:
  uint32_t strip_rows_;
  uint64_t offset_ = 0;  // of lines from multiples of strip_rows_; wraps
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_INGEST_STRIP_GRID_H_
