// Ctrl-C without a handler: SIGINT and SIGTERM are blocked in every thread and
// looked for where the program waits anyway.
#ifndef WATERFLOW_BENCH_STOP_H_
#define WATERFLOW_BENCH_STOP_H_

#include "absl/time/time.h"

namespace waterflow::bench {

// Call once, before any thread starts: threads inherit the mask.
void BlockStopSignals();

// Whether a stop was asked for; stays true.
bool StopRequested();

// Sleeps, but not past a stop. Returns false when there was one.
bool SleepUnlessStopped(absl::Duration duration);

// Waits for a stop.
void WaitForStop();

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_STOP_H_
