// From the points of one series to buckets along the axis.
//
// A bucket holds the positions i * 2^k ... (i + 1) * 2^k - 1, for the least k
// that makes at most max_points buckets of the span. Boundaries lie on one grid
// for all series and questions, so a chart whose range grows, or that is moved,
// keeps its buckets until k changes; then each two become one.
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
// bucket.
class BucketCutter {
 public:
  // Precondition: span.first <= span.last, max_points >= 1.
  BucketCutter(Interval span, uint32_t max_points);

  // The stretch that begins at positions[begin], which lies in the span.
  Stretch Next(absl::Span<const int64_t> positions, size_t begin) const;

 private:
  int shift_ = 0;  // 0 to 63
  // Where even 2^63 is too narrow: one bucket around 0.
  bool all_ = false;
};

// The part of a series that lies in the span.
SeriesView Within(const SeriesView& series, Interval span);

// At most max_points buckets (at least 1) of the points in the span; those
// without a point are left out. value is the mean.
std::vector<Bucket> BucketSeries(const SeriesView& series, Interval span,
                                 uint32_t max_points);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_BUCKET_H_
