#include "client/cpp/lane.h"

#include <algorithm>
#include <utility>

namespace waterflow::client {

Lane::Lane(uint32_t schema, std::vector<v1::Metric> metrics)
    : schema_(schema), metrics_(std::move(metrics)) {}

bool Lane::Append(const Row& row, size_t block_rows, Clock::time_point now) {
  const auto values = static_cast<uint64_t>(
      row.present.empty()
          ? row.values.size()
          : std::count(row.present.begin(), row.present.end(), true));
  ++counts_.rows_appended;
  counts_.values_appended += values;
  if (end_ < acked_) {
    ++end_;
    ++counts_.rows_acked;
    ++counts_.rows_already_there;
    counts_.values_acked += values;
    return false;
  }
  const bool has_step = row.step.has_value();
  const bool has_time = row.time_ns.has_value();
  bool began = false;
  if (!last_is_open_ || blocks_.back().block->has_step() != has_step ||
      blocks_.back().block->has_time() != has_time) {
    blocks_.push_back(
        {end_, std::make_shared<RowBlock>(metrics_.size(), has_step, has_time),
         now});
    last_is_open_ = began = true;
  }
  RowBlock& block = *blocks_.back().block;
  const size_t before = block.bytes();
  block.Append(row);
  bytes_ += block.bytes() - before;
  ++end_;
  if (block.rows() >= block_rows) last_is_open_ = false;
  return began || !last_is_open_;
}

std::optional<Clock::time_point> Lane::Due(Clock::duration max_age) const {
  if (cursor_ >= end_ || dead()) return std::nullopt;
  const Held& last = blocks_.back();
  if (cursor_ < flush_to_ || !last_is_open_ || cursor_ < last.first_row) {
    return Clock::time_point::min();
  }
  return last.since + max_age;
}

Piece Lane::Take(size_t max_rows) {
  auto held = std::upper_bound(
      blocks_.begin(), blocks_.end(), cursor_,
      [](uint64_t row, const Held& h) { return row < h.end_row(); });
  if (held + 1 == blocks_.end()) last_is_open_ = false;
  Piece piece;
  piece.schema = schema_;
  piece.block = held->block;
  piece.first_row = cursor_;
  piece.from = cursor_ - held->first_row;
  piece.to =
      piece.from + std::min<size_t>(max_rows, held->block->rows() - piece.from);
  cursor_ = piece.end_row();
  sent_ = std::max(sent_, cursor_);
  return piece;
}

void Lane::Acked(uint64_t next_row) {
  if (next_row <= acked_ || dead()) return;
  CountAnswered(acked_, std::min(next_row, end_));
  acked_ = next_row;
  DropAnswered();
}

void Lane::Rejected(uint64_t first_row, uint64_t rows) {
  const uint64_t end_row = first_row + rows;
  if (end_row <= acked_ || end_row > sent_) return;
  rejected_[std::max(first_row, acked_)] = end_row;
  // With nothing unacked before them they are answered by this alone.
  for (auto r = rejected_.begin();
       r != rejected_.end() && r->first <= acked_;) {
    const uint64_t to = r->second;
    CountAnswered(acked_, to);
    acked_ = std::max(acked_, to);
    r = rejected_.erase(r);
  }
  DropAnswered();
}

void Lane::Die(absl::Status status) {
  counts_.rows_rejected += end_ > acked_ ? end_ - acked_ : 0;
  status_ = std::move(status);
  blocks_.clear();
  rejected_.clear();
  bytes_ = 0;
  last_is_open_ = false;
}

// Rows [first, end) are leaving: were they stored, refused, or there before?
void Lane::CountAnswered(uint64_t first, uint64_t end) {
  for (const Held& held : blocks_) {
    const uint64_t from = std::max(first, held.first_row);
    const uint64_t to = std::min(end, held.end_row());
    if (from >= to) continue;
    uint64_t refused = 0;
    for (const auto& [r_first, r_end] : rejected_) {
      const uint64_t r_from = std::max(from, r_first);
      const uint64_t r_to = std::min(to, r_end);
      if (r_from >= r_to) continue;
      refused += r_to - r_from;
      counts_.values_acked -= held.block->CountValues(r_from - held.first_row,
                                                      r_to - held.first_row);
    }
    counts_.rows_rejected += refused;
    counts_.rows_acked += to - from - refused;
    counts_.values_acked +=
        held.block->CountValues(from - held.first_row, to - held.first_row);
    if (to > sent_) counts_.rows_already_there += to - std::max(from, sent_);
  }
}

void Lane::DropAnswered() {
  cursor_ = std::max(cursor_, acked_);
  while (!blocks_.empty() && blocks_.front().end_row() <= acked_) {
    bytes_ -= blocks_.front().block->bytes();
    blocks_.pop_front();
  }
  if (blocks_.empty()) last_is_open_ = false;
  std::erase_if(rejected_,
                [this](const auto& r) { return r.second <= acked_; });
}

}  // namespace waterflow::client
