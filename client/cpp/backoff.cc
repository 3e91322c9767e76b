#include "client/cpp/backoff.h"

#include <algorithm>

namespace waterflow::client {

Backoff::Backoff(absl::Duration first, absl::Duration most, uint64_t seed)
    : first_(first), most_(most), pause_(first), random_(seed) {}

absl::Duration Backoff::Next() {
  std::uniform_real_distribution<double> part(0.5, 1.0);
  const absl::Duration pause = pause_ * part(random_);
  pause_ = std::min(pause_ * 2, most_);
  return pause;
}

}  // namespace waterflow::client
