// The rows of W1 for peers that take no batches: worker by worker, without end
// if asked for, each round later than the one before.
#ifndef WATERFLOW_BENCH_PEERS_ROW_CURSOR_H_
#define WATERFLOW_BENCH_PEERS_ROW_CURSOR_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bench/dataset.h"

namespace waterflow::bench {

// Rows of one worker, its only lane.
struct RowRange {
  const WorkerRows* worker = nullptr;
  const LaneRows* lane = nullptr;
  size_t first = 0;
  size_t rows = 0;
  // To be added to what the lane says.
  int64_t step_shift = 0;
  int64_t time_shift_ns = 0;

  int64_t step(size_t i) const { return lane->steps[first + i] + step_shift; }
  int64_t time_ns(size_t i) const {
    return lane->times_ns[first + i] + time_shift_ns;
  }
  double value(size_t metric, size_t i) const {
    return lane->columns[metric][first + i];
  }
};

// A connection sends for every worker whose number leaves its own when divided
// by the number of connections, in turn.
class RowCursor {
 public:
  // `dataset` must outlive it.
  RowCursor(const Dataset& dataset, size_t connections, size_t rows,
            bool repeat);

  // The next rows of a connection; null at the end.
  const RowRange* Next(size_t connection);

 private:
  struct Place {
    size_t row = 0;
    int64_t round = 0;
  };

  const Dataset& dataset_;
  const size_t connections_;
  const size_t rows_;
  const bool repeat_;
  std::vector<Place> places_;  // by worker
  std::vector<size_t> turns_;  // the worker that is next, by connection
  RowRange range_;
};

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_PEERS_ROW_CURSOR_H_
