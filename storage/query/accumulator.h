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

#include <cstdint>

#include "absl/types/span.h"
#include "storage/read.h"

namespace waterflow::storage {

class BucketAccumulator {
 public:
  // Adds one point. The workers come in their order; the points of a worker in
  // axis order. Of equal extremes the lowest position is kept, then the worker
  // that came first.
  void Add(int64_t position, double value, uint32_t worker);

  // The same for neighbouring points of one worker; at least one.
  void AddStretch(absl::Span<const int64_t> positions,
                  absl::Span<const double> values, uint32_t worker);

  // Precondition: a point was added. Positions (and workers) of extremes that
  // do not exist, for want of a finite value, are those of the first point.
  Bucket Finish(Reduction reduction) const;

 private:
  // First and last, of a piece that goes from one point to another.
  void AddEnds(int64_t first_position, double first, int64_t last_position,
               double last, uint32_t worker);
  void AddNonFinite(double value);
  void AddExtremes(double min, int64_t min_position, double max,
                   int64_t max_position, uint32_t worker);

  // `count` says how much of it is filled; the means are made by Finish().
  Bucket bucket_;
  long double sum_ = 0;
  // Sum of squared differences from the mean.
  long double squares_ = 0;
  bool empty_ = true;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_ACCUMULATOR_H_
