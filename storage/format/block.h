// A block: the chunks of some metrics (a tile) over the strips of one worker
// block. What an axis is for the rows, this is for the values.
//
//   block := metric_count varint, strip_count varint,
//            length varint per chunk (metric by metric, in each strip by
//            strip), chunks in the same order, checksum
//   chunk := (length 0)                                no row has a value
//          | 0, values                                 every row has one
//          | 1, presence bitmap ceil(rows / 8), values only some rows have one
//          | 2                                         the chunk of the strip
//                                                      before, value for value
//   values := a chunk of storage/codec
//
// A repeat points only inside its own metric and block, so that it can never
// outlive its target: data-parallel training logs the same loss on all ranks.
#ifndef WATERFLOW_STORAGE_FORMAT_BLOCK_H_
#define WATERFLOW_STORAGE_FORMAT_BLOCK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "storage/format/shared_bytes.h"

namespace waterflow::storage {

// The values of one metric over one strip: for each row that has one.
struct ChunkValues {
  uint32_t rows = 0;
  // A bit per row, as Column.present on the wire; empty: every row has a value.
  std::string present;
  std::vector<double> values;

  bool dense() const { return present.empty() && !values.empty(); }
  // The rows that the values belong to, in order, appended to *rows.
  void AppendRows(std::vector<uint32_t>* rows) const;
};

// Collects the chunks of one metric, strip by strip.
class MetricChunks {
 public:
  // True when it repeats the strip before. Takes the values and leaves others,
  // whose memory can be used again.
  bool Add(ChunkValues* chunk);
  // What was added last.
  const ChunkValues& last() const { return last_; }

 private:
  friend std::string BuildBlock(absl::Span<const MetricChunks> tile);
  std::vector<uint32_t> lengths_;
  std::string bytes_;
  ChunkValues last_;
};

// The block of a tile: all metrics must have the same number of strips.
std::string BuildBlock(absl::Span<const MetricChunks> tile);

class Block {
 public:
  // Keeps the bytes. DATA_LOSS when they are not a block.
  static absl::StatusOr<Block> Parse(SharedBytes bytes);

  uint32_t metric_count() const { return metrics_; }
  uint32_t strip_count() const { return strips_; }
  // `metric` counts from the tile's first one; `rows` as the axis says.
  absl::Status Read(uint32_t metric, uint32_t strip, uint32_t rows,
                    ChunkValues* chunk) const;

 private:
  absl::string_view Bytes(size_t chunk) const;

  SharedBytes bytes_;
  uint32_t metrics_ = 0;
  uint32_t strips_ = 0;
  std::vector<uint32_t> begins_;  // of each chunk, and the end of the last
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_FORMAT_BLOCK_H_
