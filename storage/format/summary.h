// What is known of the metrics of a tile without reading their block: for each
// strip of the worker block a summary of the strip and, where it is long, one
// of each 256 rows.
//
//   summaries := [0 u8], metric_count varint, strip_count varint, for each
//                metric the length of its strips and, if there is a 0 in front,
//                that of its spans, varints, strips metric by metric, checksum
//   strip     := 0: as the strip before
//              | 1 + span_count varint (0, or ceil(rows / 256) when rows >
//                512), summary of all rows,
//                summary of each span            unless there is a 0 in front
//   spans     := if there is a 0 in front: metric by metric, in each strip by
//                strip (but those that are as the strip before), summary of
//                each span; checksum
//   summary   := flags u8, then unless flags & 1 (no value at all) or flags &
//   16
//                (none was made, the chunk must be read):
//                count, first_row varints,
//                [nan, +inf, -inf, last_row varints]     unless flags & 4
//                first,
//                [last]                                  unless flags & 8
//                [min_row, max_row varints, min, max,    count > 0, and
//                 mean, m2 float64]                      unless flags & 8
//   flags     := 1 no value, 2 first, last, min and max are float32 (else
//                float64), 4 each row from the first to the last has a finite
//                value, 8 all of them are equal: last, min, max and mean are
//                first, m2 is 0
//
// Many spans are a value of their own, few would be one more tiny value.
// Version 1 of the format knows no values of spans.
//
// Rows count from the strip's first one. m2 is the sum of squared distances
// from the mean, so that summaries can be merged (Chan, Golub and LeVeque
// 1979).
#ifndef WATERFLOW_STORAGE_FORMAT_SUMMARY_H_
#define WATERFLOW_STORAGE_FORMAT_SUMMARY_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "storage/format/axis.h"
#include "storage/format/block.h"
#include "storage/format/shared_bytes.h"

namespace waterflow::storage {

inline constexpr uint32_t kSummarySpanRows = 256;
// Strips of fewer rows have no summary: their chunk is hardly longer than it
// would be. A block of such strips alone has no summaries at all.
inline constexpr uint32_t kMinSummaryRows = 64;

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
  bool known = true;    // false: the strip is short, look into its chunk
  bool repeat = false;  // as the strip before
  // 0 for short strips. As long as they are not read, `spans` is empty.
  uint32_t span_count = 0;
  Summary all;
  std::vector<Summary> spans;
};

StripSummary Summarize(const ChunkValues& chunk);
// That of a short strip.
StripSummary NoSummary();

// Whether there are summaries beside a block of these strips.
bool HasSummaries(absl::Span<const Strip> strips);

// Collects the summaries of one metric, strip by strip.
class SummaryBuilder {
 public:
  void Add(const StripSummary& strip);
  // A strip like the one before, which there must be.
  void AddRepeat();

 private:
  friend struct BuiltSummaries BuildSummaries(
      absl::Span<const SummaryBuilder> tile);
  uint32_t count_ = 0;
  std::string strips_;
  std::string spans_;
  std::vector<std::pair<size_t, size_t>> ends_;  // of each strip in both
};

// The two values of a tile's summaries; `spans` is empty where there are none.
struct BuiltSummaries {
  std::string strips;
  std::string spans;
};

// All metrics must have the same number of strips.
BuiltSummaries BuildSummaries(absl::Span<const SummaryBuilder> tile);

class SummaryBlock {
 public:
  // Keeps the bytes. DATA_LOSS when they are not summaries.
  static absl::StatusOr<SummaryBlock> Parse(SharedBytes bytes);

  uint32_t metric_count() const {
    return static_cast<uint32_t>(strips_begin_.size()) - 1;
  }
  uint32_t strip_count() const { return strips_; }
  // One entry per strip. `metric` counts from the tile's first one. Spans are
  // in it unless they are apart.
  absl::StatusOr<std::vector<StripSummary>> Read(uint32_t metric) const;
  // Whether there are spans in a value of their own.
  bool spans_apart() const {
    return !spans_begin_.empty() && spans_begin_.back() > 0;
  }
  // The spans in that value. DATA_LOSS when it is not that of these summaries.
  absl::StatusOr<absl::string_view> CheckSpans(absl::string_view value) const;
  // Puts them into what Read returned for the metric; `spans` is what
  // CheckSpans returned.
  absl::Status ReadSpans(uint32_t metric, absl::string_view spans,
                         std::vector<StripSummary>* strips) const;

 private:
  SharedBytes bytes_;
  uint32_t strips_ = 0;
  // Of each metric, and the end of the last; spans_begin_ is empty where none
  // are apart.
  std::vector<size_t> strips_begin_;
  std::vector<size_t> spans_begin_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_FORMAT_SUMMARY_H_
