// Rows of one lane that wait to be sent or acked, row after row in memory.
#ifndef WATERFLOW_CLIENT_CPP_ROW_BLOCK_H_
#define WATERFLOW_CLIENT_CPP_ROW_BLOCK_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/types/span.h"

namespace waterflow::client {

// One worker's values of one schema at one step and time. Holds views: what it
// points at must live until Append returns.
struct Row {
  std::optional<int64_t> step;
  // Unix nanoseconds. Absent: the server stamps the row when it arrives.
  std::optional<int64_t> time_ns;
  // One value per metric of the schema, in its order.
  absl::Span<const double> values;
  // Which of them are there; empty: all.
  absl::Span<const bool> present;
};

// All rows of a block agree on having a step and on having a time, as a batch
// must. A block grows while it is its lane's last; once a row of it was sent it
// never changes, so that it can be encoded without a lock.
class RowBlock {
 public:
  RowBlock(size_t metrics, bool has_step, bool has_time)
      : metrics_(metrics), has_step_(has_step), has_time_(has_time) {}

  // `row` has `metrics` values and this block's presence of step and time.
  void Append(const Row& row);

  size_t metrics() const { return metrics_; }
  size_t rows() const { return rows_; }
  bool has_step() const { return has_step_; }
  bool has_time() const { return has_time_; }
  int64_t step(size_t row) const { return steps_[row]; }
  int64_t time_ns(size_t row) const { return times_[row]; }
  double value(size_t row, size_t metric) const {
    return values_[row * metrics_ + metric];
  }
  bool sparse() const { return !present_.empty(); }
  bool present(size_t row, size_t metric) const {
    return present_.empty() || present_[row * metrics_ + metric] != 0;
  }
  // How many values the rows [from, to) have.
  uint64_t CountValues(size_t from, size_t to) const;
  // What the rows take, for the writer's bound.
  size_t bytes() const { return rows_ * RowBytes(metrics_) + present_.size(); }
  static size_t RowBytes(size_t metrics) { return 16 + 8 * metrics; }

 private:
  size_t metrics_;
  bool has_step_;
  bool has_time_;
  size_t rows_ = 0;
  std::vector<int64_t> steps_;
  std::vector<int64_t> times_;
  std::vector<double> values_;
  std::vector<uint8_t> present_;  // one a value; empty while none is missing
};

}  // namespace waterflow::client

#endif  // WATERFLOW_CLIENT_CPP_ROW_BLOCK_H_
