// What this process takes of its machine.
#ifndef WATERFLOW_SERVER_PROCESS_USAGE_H_
#define WATERFLOW_SERVER_PROCESS_USAGE_H_

#include <cstdint>

namespace waterflow::server {

// From /proc/self/statm; 0 where there is none.
uint64_t ResidentBytes();

uint64_t ProcessCpuNs();

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_PROCESS_USAGE_H_
