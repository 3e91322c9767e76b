#include "bench/stop.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>

#include "absl/time/clock.h"

namespace waterflow::bench {
namespace {

sigset_t StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

void BlockStopSignals() {
  const sigset_t set = StopSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

bool StopRequested() {
  // A blocked signal stays pending until somebody takes it, and nobody does.
  sigset_t pending;
  sigpending(&pending);
  return sigismember(&pending, SIGINT) == 1 ||
         sigismember(&pending, SIGTERM) == 1;
}

bool SleepUnlessStopped(absl::Duration duration) {
  const absl::Time end = absl::Now() + duration;
  while (!StopRequested()) {
    const absl::Duration left = end - absl::Now();
    if (left <= absl::ZeroDuration()) return true;
    absl::SleepFor(std::min(left, absl::Milliseconds(50)));
  }
  return false;
}

void WaitForStop() {
  const sigset_t set = StopSignals();
  int signal = 0;
  sigwait(&set, &signal);
}

}  // namespace waterflow::bench
