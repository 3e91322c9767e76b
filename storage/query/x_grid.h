// Buckets along a metric's values: those of an axis that is no step or time,
// such as the tokens seen so far.
#ifndef WATERFLOW_STORAGE_QUERY_X_GRID_H_
#define WATERFLOW_STORAGE_QUERY_X_GRID_H_

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace waterflow::storage {

// Bucket i holds [i * 2^k, (i + 1) * 2^k) for the least k that makes few enough
// of them, as on other axes (bucket.h): k may be negative here.
class XGrid {
 public:
  // Both finite, min <= max; max_points >= 1.
  XGrid(double min, double max, uint32_t max_points) {
    // Half of it, which cannot overflow.
    const double half = max / 2 - min / 2;
    shift_ = half > 0 ? std::max(std::ilogb(half / max_points), -kMost) : 0;
    while (shift_ < kMost && CellOf(max) - CellOf(min) >= max_points) ++shift_;
    all_ = CellOf(max) - CellOf(min) >= max_points;
  }

  // Which bucket, as a whole number that may be beyond 64 bits.
  double CellOf(double x) const {
    return all_ ? 0 : std::floor(std::ldexp(x, -shift_));
  }

 private:
  static constexpr int kMost = 1023;
  int shift_ = 0;
  // Where no width will do, for it has both sides of 0: one bucket.
  bool all_ = false;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_X_GRID_H_
