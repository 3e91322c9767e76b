// From the points of one series to buckets along the axis.
//
// The span is cut into buckets of equal width (the last may be narrower), the
// narrowest that makes at most max_points of them: bucket i of [first, last]
// holds the positions first + i * width ... first + (i + 1) * width - 1, where
// width = floor((last - first) / max_points) + 1. Equal rather than exactly
// max_points: points at regular steps then spread evenly, and counts do not
// alternate from bucket to bucket.
#ifndef WATERFLOW_STORAGE_QUERY_BUCKET_H_
#define WATERFLOW_STORAGE_QUERY_BUCKET_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "storage/read.h"

namespace waterflow::storage {

// One worker's points in axis order; views of equal length.
struct SeriesView {
  uint32_t worker = 0;  // index into SeriesPart::workers
  absl::Span<const int64_t> positions;
  absl::Span<const double> values;
};

// Neighbouring points of a series, [begin, end), that belong together.
struct Stretch {
  size_t begin = 0;
  size_t end = 0;
  int64_t key = 0;  // ascends within a series
};

// Cuts a series into one stretch per bucket; the key is the number of the
// bucket. Made for one series, walked from its front to its end.
class BucketCutter {
 public:
  // Precondition: span.first <= span.last, max_points >= 1.
  BucketCutter(Interval span, uint32_t max_points);

  // The stretch that begins at positions[begin], which lies in the span.
  Stretch Next(absl::Span<const int64_t> positions, size_t begin);

 private:
  uint64_t Offset(int64_t position) const {
    return static_cast<uint64_t>(position) - static_cast<uint64_t>(first_);
  }

  int64_t first_;
  uint64_t length_;  // last - first: one less than the positions in the span
  uint64_t reach_;   // width - 1; a width may be 2^64
  // The last stretch's bucket and the offset of its last position.
  uint64_t bucket_ = 0;
  uint64_t end_ = 0;
};

// The part of a series that lies in the span.
SeriesView Within(const SeriesView& series, Interval span);

// At most max_points buckets (at least 1) of the points in the span; those
// without a point are left out. value is the mean.
std::vector<Bucket> BucketSeries(const SeriesView& series, Interval span,
                                 uint32_t max_points);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_BUCKET_H_
