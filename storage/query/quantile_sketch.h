// Quantiles of a set of numbers: exact while there are few, of a sketch with a
// bounded relative error after that.
//
// The sketch is DDSketch (Masson, Rim and Lee, VLDB 2019): numbers are counted
// in cells whose ends are a factor of gamma = (1 + a) / (1 - a) apart, so that
// the middle of a cell is within a share `a` of each number in it.
#ifndef WATERFLOW_STORAGE_QUERY_QUANTILE_SKETCH_H_
#define WATERFLOW_STORAGE_QUERY_QUANTILE_SKETCH_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/container/btree_map.h"

namespace waterflow::storage {

// So many numbers are kept as they are.
inline constexpr size_t kExactQuantileValues = 4096;
// How far a sketched quantile may be off, as a share of it.
inline constexpr double kQuantileError = 0.005;

class QuantileSketch {
 public:
  // A finite number.
  void Add(double value);
  bool exact() const { return cells_.empty(); }
  uint64_t count() const { return count_; }
  // Memory that it holds, about.
  size_t bytes() const;

  // The q-quantile, 0 <= q <= 1, between its neighbours in order (Hyndman and
  // Fan's type 7, numpy's default). Precondition: count() > 0.
  double Quantile(double q);

 private:
  void AddToCells(double value);
  // Of the number that has `rank` smaller ones or so.
  double ValueAt(uint64_t rank) const;

  uint64_t count_ = 0;
  std::vector<double> values_;  // while it is exact
  bool sorted_ = true;
  // By order of the numbers: negative ones first.
  absl::btree_map<int32_t, uint64_t> cells_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_QUANTILE_SKETCH_H_
