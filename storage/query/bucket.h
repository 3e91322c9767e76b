// Buckets along the axis.
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
#include "storage/query/accumulator.h"
#include "storage/read.h"

namespace waterflow::storage {

// One worker's points in axis order; views of equal length.
struct SeriesView {
  // The worker's place in the order of workers.
  uint32_t worker = 0;
  absl::Span<const int64_t> positions;
  absl::Span<const double> values;
};

// The buckets of a span, filled from any number of workers, in any order of
// workers; the points of one come in axis order. Memory: 4 bytes a bucket that
// could be, and an accumulator for each that has points.
class BucketTable {
 public:
  // Precondition: span.first <= span.last, max_points >= 1.
  // `keep_values`: for quantiles.
  BucketTable(Interval span, uint32_t max_points, bool keep_values = false);

  // Points that lie in the span.
  void Add(const SeriesView& series);
  // Points that were measured already and lie in one bucket of the span. Not
  // for quantiles.
  void AddPiece(const Piece& piece);
  bool InOneBucket(int64_t first, int64_t last) const {
    return CellOf(first) == CellOf(last);
  }

  // Buckets that have points.
  size_t size() const { return accumulators_.size(); }
  // How often something was added.
  uint64_t additions() const { return additions_; }

  // Ascending; those without a point are left out.
  std::vector<Bucket> Finish(Reduction reduction) const;
  // For each of these buckets the quantiles asked for; *exact says whether all
  // are.
  std::vector<double> Quantiles(absl::Span<const double> quantiles,
                                bool* exact) const;
  // What the values take that are kept for quantiles.
  size_t value_bytes() const;
  bool keeps_values() const { return keep_values_; }
  // Forgets all points.
  void Clear();

 private:
  // Number of the bucket, from 0.
  size_t CellOf(int64_t position) const {
    return all_ ? 0
                : static_cast<uint64_t>(position >> shift_) -
                      static_cast<uint64_t>(first_cell_);
  }
  BucketAccumulator& At(size_t cell);
  // Of the accumulators, by number of the bucket.
  std::vector<size_t> Order() const;

  const bool keep_values_;
  int shift_ = 0;  // 0 to 63
  // Where even 2^63 is too narrow: one bucket around 0.
  bool all_ = false;
  int64_t first_cell_ = 0;
  // By number of the bucket: 0, or 1 + where its accumulator is.
  std::vector<uint32_t> places_;
  std::vector<size_t> cells_;  // of the accumulators
  std::vector<BucketAccumulator> accumulators_;
  uint64_t additions_ = 0;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_BUCKET_H_
