#include "client/cpp/credit.h"

#include <algorithm>

namespace waterflow::client {

void Credit::Sent(uint32_t schema, uint64_t end_row, uint64_t bytes) {
  lanes_[schema].push_back({end_row, bytes});
  in_flight_ += bytes;
}

void Credit::Answered(uint32_t schema, uint64_t next_row) {
  auto lane = lanes_.find(schema);
  if (lane == lanes_.end()) return;
  auto& batches = lane->second;
  while (!batches.empty() && batches.front().end_row <= next_row) {
    in_flight_ -= batches.front().bytes;
    batches.pop_front();
  }
}

uint64_t Credit::Available() const {
  if (limit_ == 0) return 0;
  if (in_flight_ == 0) return std::max<uint64_t>(limit_, 1);
  return limit_ > in_flight_ ? limit_ - in_flight_ : 0;
}

}  // namespace waterflow::client
