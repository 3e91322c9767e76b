// What is known of a metric in a generation without reading its blocks: for
// each strip of each worker block, in their order, a summary of the strip and,
// where it is long, one of each 256 rows.
//
//   summaries := strip_count varint, strip*, checksum
//   strip     := span_count varint (0, or ceil(rows / 256) when rows > 512),
//                summary of all rows, summary of each span
//   summary   := flags u8, then unless flags & 1 (no value at all):
//                count, nan, +inf, -inf varints, first_row, last_row varints,
//                [min_row, max_row varints, mean, m2 float64]   count > 0
//                first, last, [min, max]: float32 if flags & 2, else float64
//
// Rows count from the strip's first one. m2 is the sum of squared distances
// from the mean, so that summaries can be merged (Chan, Golub and LeVeque
// 1979).
#ifndef WATERFLOW_STORAGE_FORMAT_SUMMARY_H_
#define WATERFLOW_STORAGE_FORMAT_SUMMARY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/format/block.h"

namespace waterflow::storage {

inline constexpr uint32_t kSummarySpanRows = 256;

struct Summary {
  uint32_t count = 0;  // finite values
  uint32_t nan_count = 0;
  uint32_t pos_inf_count = 0;
  uint32_t neg_inf_count = 0;
  // Over the finite values.
  double min = 0;
  double max = 0;
  double mean = 0;
  double m2 = 0;
  uint32_t min_row = 0;
  uint32_t max_row = 0;
  // Over all values, in row order.
  double first = 0;
  double last = 0;
  uint32_t first_row = 0;
  uint32_t last_row = 0;

  uint32_t values() const {
    return count + nan_count + pos_inf_count + neg_inf_count;
  }
  // Adds what comes behind this in row order.
  void Merge(const Summary& later);
};

struct StripSummary {
  Summary all;
  std::vector<Summary> spans;  // empty for short strips
};

StripSummary Summarize(const ChunkValues& chunk);

class SummaryBuilder {
 public:
  void Add(const StripSummary& strip);
  std::string Build() &&;

 private:
  uint32_t count_ = 0;
  std::string strips_;
};

// One entry per strip. DATA_LOSS when `bytes` are not summaries.
absl::StatusOr<std::vector<StripSummary>> ParseSummaries(
    absl::string_view bytes);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_FORMAT_SUMMARY_H_
