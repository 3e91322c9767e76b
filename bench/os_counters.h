// What the operating system counts while a load runs. The disk and the network
// are counted for the whole machine: they say what a load costs only when
// nothing else runs, which is also when its other figures are worth anything.
#ifndef WATERFLOW_BENCH_OS_COUNTERS_H_
#define WATERFLOW_BENCH_OS_COUNTERS_H_

#include <cstdint>
#include <filesystem>

namespace waterflow::bench {

struct OsCounters {
  double server_cpu_seconds = 0;  // filled in by who knows the server
  uint64_t disk_bytes = 0;        // written to the device
  // Cache flushes that the device was sent: what fsync and fdatasync end in,
  // whichever program calls them and however it is linked.
  uint64_t disk_flushes = 0;
  // Over loopback, both ways, with the headers of TCP and IP.
  uint64_t network_bytes = 0;

  // What happened since `before`.
  OsCounters Since(const OsCounters& before) const;
  void Add(const OsCounters& other);
};

// Of the device that `folder` lies on; what cannot be read stays 0.
OsCounters ReadMachine(const std::filesystem::path& folder);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_OS_COUNTERS_H_
