#include "bench/ingest/disk_probe.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "bench/histogram.h"
#include "bench/load_stream.h"
#include "bench/stop.h"

namespace waterflow::bench {
namespace {

// What live workers send in the 5 ms of a group: 256 rows of 100 metrics each
// 50 ms are 22 KB.
constexpr size_t kGroupBytes = 24 << 10;
// Between two of them, as between two groups.
constexpr absl::Duration kPause = absl::Milliseconds(2);

}  // namespace

absl::StatusOr<Measures> ProbeDisk(const std::filesystem::path& folder,
                                   absl::Duration duration) {
  const std::string path =
      (folder / absl::StrCat("waterflow-bench-disk.", getpid())).string();
  const int file =
      open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) {
    return absl::InternalError(
        absl::StrCat("cannot write ", path, ": ", std::strerror(errno)));
  }
  const std::string group(kGroupBytes, 'x');
  Histogram times;
  bool failed = false;
  const int64_t end = MonotonicNs() + absl::ToInt64Nanoseconds(duration);
  while (!failed && MonotonicNs() < end && SleepUnlessStopped(kPause)) {
    const int64_t start = MonotonicNs();
    failed = write(file, group.data(), group.size()) !=
                 static_cast<ssize_t>(group.size()) ||
             fdatasync(file) != 0;
    times.Add(static_cast<uint64_t>(MonotonicNs() - start));
  }
  close(file);
  unlink(path.c_str());
  if (failed) return absl::InternalError(absl::StrCat("cannot sync ", path));
  return Measures{
      {"fdatasync_p50_ms", static_cast<double>(times.Percentile(0.5)) * 1e-6},
      {"fdatasync_p99_ms", static_cast<double>(times.Percentile(0.99)) * 1e-6},
  };
}

}  // namespace waterflow::bench
