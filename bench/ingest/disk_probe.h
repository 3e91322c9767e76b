// What the disk itself takes: appends of one commit group's size to a file,
// each followed by fdatasync. Ack latencies are held against this.
#ifndef WATERFLOW_BENCH_INGEST_DISK_PROBE_H_
#define WATERFLOW_BENCH_INGEST_DISK_PROBE_H_

#include <filesystem>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bench/ingest/measures.h"

namespace waterflow::bench {

inline constexpr char kDiskShape[] = "disk";
inline constexpr char kDiskName[] = "24 KiB appended, fdatasync";
inline constexpr char kDiskSubject[] = "disk";

// For `duration`, in a file of `folder` that is removed again.
absl::StatusOr<Measures> ProbeDisk(const std::filesystem::path& folder,
                                   absl::Duration duration);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_INGEST_DISK_PROBE_H_
