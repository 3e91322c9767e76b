// What becomes of the points of one bucket, added in any number of pieces: the
// statistics of query.proto's Buckets (DESIGN rule: non-finite values are
// counted and take no part in the rest).
//
// Sums are kept in long double: its exponent reaches far beyond a double's, so
// that neither sums nor squares of values near 1e308 (or 1e-308) get lost, and
// a mean comes out right to the last bit or so. Squares are those of
// differences from the mean throughout (Youngs and Cramer 1971; Chan, Golub,
// LeVeque 1983), never the mean of squares minus the square of the mean.
#ifndef WATERFLOW_STORAGE_QUERY_ACCUMULATOR_H_
#define WATERFLOW_STORAGE_QUERY_ACCUMULATOR_H_

#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "storage/query/quantile_sketch.h"
#include "storage/read.h"

namespace waterflow::storage {

// Points that were measured together: neighbours of one worker, or those of
// several workers at one position.
struct Piece {
  int64_t first_position = 0;
  int64_t last_position = 0;
  double first = 0;
  double last = 0;
  uint32_t first_worker = 0;
  uint32_t last_worker = 0;
  uint64_t nan_count = 0;
  uint64_t pos_inf_count = 0;
  uint64_t neg_inf_count = 0;
  // Of the finite values.
  uint64_t count = 0;
  long double sum = 0;
  long double squares = 0;  // of differences from their mean
  double min = 0;
  double max = 0;
  int64_t min_position = 0;
  int64_t max_position = 0;
  uint32_t min_worker = 0;
  uint32_t max_worker = 0;
};

class BucketAccumulator {
 public:
  // `keep_values`: for quantiles; pieces that were measured without their
  // values are no good then.
  explicit BucketAccumulator(bool keep_values = false) {
    if (keep_values) values_ = std::make_unique<QuantileSketch>();
  }

  // Adds one point. The points of a worker come in axis order, the workers in
  // any. Of equal extremes the lowest position is kept, then the lowest worker;
  // points at one position go by worker, those of one worker as they came.
  void Add(int64_t position, double value, uint32_t worker);

  // The same for neighbouring points of one worker; at least one.
  void AddStretch(absl::Span<const int64_t> positions,
                  absl::Span<const double> values, uint32_t worker);

  // The same for what was measured already.
  void AddPiece(const Piece& piece);

  // Precondition: a point was added. Positions (and workers) of extremes that
  // do not exist, for want of a finite value, are those of the first point.
  Bucket Finish(Reduction reduction) const;

  // ---- quantiles; of an accumulator that keeps values ----
  // Only for quantiles: the rest of the point is in a piece.
  void AddValue(double value) {
    if (std::isfinite(value)) values_->Add(value);
  }
  // Appends them to *out; NaN where there is no finite value. False: they are
  // sketched.
  bool AppendQuantiles(absl::Span<const double> quantiles,
                       std::vector<double>* out) const;
  size_t value_bytes() const { return values_ ? values_->bytes() : 0; }

 private:
  void AddEnds(const Piece& piece);
  void AddFinite(const Piece& piece);

  // `count` says how much of it is filled; the means are made by Finish().
  Bucket bucket_;
  long double sum_ = 0;
  // Sum of squared differences from the mean.
  long double squares_ = 0;
  uint32_t first_worker_ = 0;
  uint32_t last_worker_ = 0;
  bool empty_ = true;
  std::unique_ptr<QuantileSketch> values_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_ACCUMULATOR_H_
