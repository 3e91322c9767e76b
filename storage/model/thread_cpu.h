// CPU time of the calling thread: what sealing and merging cost is measured
// where it is spent.
#ifndef WATERFLOW_STORAGE_MODEL_THREAD_CPU_H_
#define WATERFLOW_STORAGE_MODEL_THREAD_CPU_H_

#include <time.h>

#include <cstdint>

namespace waterflow::storage {

inline uint64_t ThreadCpuNs() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 +
         static_cast<uint64_t>(t.tv_nsec);
}

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_MODEL_THREAD_CPU_H_
