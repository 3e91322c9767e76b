// How long to wait before the next attempt to connect: doubles from `first` to
// `most`, and a random part of it is cut off so that thousands of workers do
// not come back in the same instant.
#ifndef WATERFLOW_CLIENT_CPP_BACKOFF_H_
#define WATERFLOW_CLIENT_CPP_BACKOFF_H_

#include <cstdint>
#include <random>

#include "absl/time/time.h"

namespace waterflow::client {

class Backoff {
 public:
  Backoff(absl::Duration first, absl::Duration most, uint64_t seed);

  // Between half of the current pause and all of it; the next one is longer.
  absl::Duration Next();
  void Reset() { pause_ = first_; }

 private:
  absl::Duration first_;
  absl::Duration most_;
  absl::Duration pause_;
  std::minstd_rand random_;
};

}  // namespace waterflow::client

#endif  // WATERFLOW_CLIENT_CPP_BACKOFF_H_
