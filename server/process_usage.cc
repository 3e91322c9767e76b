#include "server/process_usage.h"

#include <time.h>
#include <unistd.h>

#include <fstream>

namespace waterflow::server {

uint64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t total_pages = 0;
  uint64_t resident_pages = 0;
  statm >> total_pages >> resident_pages;
  return resident_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

uint64_t ProcessCpuNs() {
  timespec cpu{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
  return static_cast<uint64_t>(cpu.tv_sec) * 1'000'000'000 +
         static_cast<uint64_t>(cpu.tv_nsec);
}

}  // namespace waterflow::server
