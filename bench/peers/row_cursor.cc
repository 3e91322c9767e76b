#include "bench/peers/row_cursor.h"

#include <algorithm>

namespace waterflow::bench {

RowCursor::RowCursor(const Dataset& dataset, size_t connections, size_t rows,
                     bool repeat)
    : dataset_(dataset),
      connections_(connections),
      rows_(rows),
      repeat_(repeat),
      places_(dataset.size()) {
  for (size_t i = 0; i < connections; ++i) turns_.push_back(i);
}

const RowRange* RowCursor::Next(size_t connection) {
  size_t& turn = turns_[connection];
  for (size_t tried = 0; tried <= dataset_.size(); tried += connections_) {
    if (turn >= dataset_.size()) turn = connection;
    if (turn >= dataset_.size()) return nullptr;  // more of them than workers
    const size_t worker = turn;
    turn += connections_;
    Place& place = places_[worker];
    const LaneRows& lane = dataset_[worker].lanes[0];
    if (place.row >= lane.rows()) {
      if (!repeat_) continue;
      place = {.row = 0, .round = place.round + 1};
    }
    range_ = {.worker = &dataset_[worker],
              .lane = &lane,
              .first = place.row,
              .rows = std::min(rows_, lane.rows() - place.row),
              .step_shift = place.round * static_cast<int64_t>(lane.rows()),
              .time_shift_ns = place.round * lane.round_ns()};
    place.row += range_.rows;
    return &range_;
  }
  return nullptr;
}

}  // namespace waterflow::bench
