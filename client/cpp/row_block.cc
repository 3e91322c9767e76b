#include "client/cpp/row_block.h"

#include <algorithm>

namespace waterflow::client {

void RowBlock::Append(const Row& row) {
  const bool full = std::all_of(row.present.begin(), row.present.end(),
                                [](bool p) { return p; });
  if (!full && present_.empty()) present_.assign(values_.size(), 1);
  if (has_step_) steps_.push_back(*row.step);
  if (has_time_) times_.push_back(*row.time_ns);
  values_.insert(values_.end(), row.values.begin(), row.values.end());
  if (!full) {
    present_.insert(present_.end(), row.present.begin(), row.present.end());
  } else if (!present_.empty()) {
    present_.resize(values_.size(), 1);
  }
  ++rows_;
}

uint64_t RowBlock::CountValues(size_t from, size_t to) const {
  if (present_.empty()) return (to - from) * metrics_;
  return std::count(present_.begin() + static_cast<ptrdiff_t>(from * metrics_),
                    present_.begin() + static_cast<ptrdiff_t>(to * metrics_),
                    1);
}

}  // namespace waterflow::client
