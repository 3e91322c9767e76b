// The clock of everything inside the library: it never goes back.
#ifndef WATERFLOW_CLIENT_CPP_CLOCK_H_
#define WATERFLOW_CLIENT_CPP_CLOCK_H_

#include <algorithm>
#include <chrono>

#include "absl/time/time.h"

namespace waterflow::client {

using Clock = std::chrono::steady_clock;

// Between nothing and a year: what lies beyond would overflow when added to
// now.
inline std::chrono::nanoseconds ToChrono(absl::Duration d) {
  return absl::ToChronoNanoseconds(
      std::clamp(d, absl::ZeroDuration(), absl::Hours(24 * 365)));
}

}  // namespace waterflow::client

#endif  // WATERFLOW_CLIENT_CPP_CLOCK_H_
