#include "storage/model/machine_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace waterflow::storage {
namespace {

constexpr uint64_t kUnlimited = std::numeric_limits<uint64_t>::max();

// The number in a file of a control group; "max" and a missing file are none.
uint64_t LimitIn(const std::string& path) {
  std::string word;
  uint64_t bytes = 0;
  if (!(std::ifstream(path) >> word) || !absl::SimpleAtoi(word, &bytes)) {
    return kUnlimited;
  }
  return bytes;
}

// The least limit on the way from a group up to `base`. In a container the
// group's path may be the host's: then only the upper ones are there.
uint64_t LeastLimit(const std::string& base, std::string group,
                    const std::string& file) {
  uint64_t least = kUnlimited;
  while (true) {
    least = std::min(least, LimitIn(absl::StrCat(base, group, "/", file)));
    const size_t slash = group.rfind('/');
    if (slash == std::string::npos) return least;
    group.resize(slash);
  }
}

uint64_t ControlGroupLimit(const std::string& root) {
  uint64_t least = kUnlimited;
  std::ifstream groups(root + "/proc/self/cgroup");
  // number:controllers:path; version 2 is the line "0::path".
  for (std::string line; std::getline(groups, line);) {
    const std::vector<std::string> parts =
        absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    const std::vector<std::string> controllers = absl::StrSplit(parts[1], ',');
    if (parts[0] == "0" && parts[1].empty()) {
      least = std::min(
          least, LeastLimit(root + "/sys/fs/cgroup", parts[2], "memory.max"));
    } else if (std::find(controllers.begin(), controllers.end(), "memory") !=
               controllers.end()) {
      least = std::min(least, LeastLimit(root + "/sys/fs/cgroup/memory",
                                         parts[2], "memory.limit_in_bytes"));
    }
  }
  return least;
}

uint64_t MachineTotal(const std::string& root) {
  std::ifstream meminfo(root + "/proc/meminfo");
  uint64_t kib = 0;
  for (std::string key; meminfo >> key;) {
    if (key == "MemTotal:" && meminfo >> kib) return kib << 10;
    meminfo.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return kUnlimited;
}

}  // namespace

uint64_t MachineMemoryBytes(const std::string& root) {
  const uint64_t bytes = std::min(MachineTotal(root), ControlGroupLimit(root));
  return bytes == kUnlimited ? 0 : bytes;
}

}  // namespace waterflow::storage
