#include "bench/os_counters.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"

namespace waterflow::bench {
namespace {

constexpr uint64_t kSectorBytes = 512;  // of the kernel, whatever the device

// "major minor name reads ... ": the kernel's Documentation/admin-guide/
// iostats.rst numbers the fields that follow the name from 1.
void ReadDevice(const std::filesystem::path& folder, OsCounters* counters) {
  struct stat entry {};
  if (stat(folder.c_str(), &entry) != 0) return;
  std::ifstream file(absl::StrCat("/sys/dev/block/", major(entry.st_dev), ":",
                                  minor(entry.st_dev), "/stat"));
  uint64_t value = 0;
  for (int field = 1; file >> value; ++field) {
    if (field == 7) counters->disk_bytes = value * kSectorBytes;
    if (field == 16) counters->disk_flushes = value;
  }
}

}  // namespace

OsCounters OsCounters::Since(const OsCounters& before) const {
  return {.server_cpu_seconds = server_cpu_seconds - before.server_cpu_seconds,
          .disk_bytes = disk_bytes - before.disk_bytes,
          .disk_flushes = disk_flushes - before.disk_flushes,
          .network_bytes = network_bytes - before.network_bytes};
}

void OsCounters::Add(const OsCounters& other) {
  server_cpu_seconds += other.server_cpu_seconds;
  disk_bytes += other.disk_bytes;
  disk_flushes += other.disk_flushes;
  network_bytes += other.network_bytes;
}

OsCounters ReadMachine(const std::filesystem::path& folder) {
  OsCounters counters;
  ReadDevice(folder, &counters);
  std::ifstream("/sys/class/net/lo/statistics/tx_bytes") >>
      counters.network_bytes;
  return counters;
}

}  // namespace waterflow::bench
