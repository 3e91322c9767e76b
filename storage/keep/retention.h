// Which runs retention removes: whole ones, by their last write, the oldest
// first, and never one that is at work.
#ifndef WATERFLOW_STORAGE_KEEP_RETENTION_H_
#define WATERFLOW_STORAGE_KEEP_RETENTION_H_

#include <cstdint>
#include <vector>

#include "storage/model/ids.h"
#include "storage/model/records.h"

namespace waterflow::storage {

// A lost run may come back: for its size alone it goes only after this silence.
inline constexpr int64_t kLostGraceNs = int64_t{24} * 3600 * 1'000'000'000;

struct RetentionCandidate {
  RunId run;
  RunStatus status = RunStatus::kRunning;  // as read: a silent one is LOST
  bool held = false;  // a stream is open for it, or a fork reads it
  int64_t last_write_ns = 0;
  int64_t age_limit_ns = 0;  // 0: none
  uint64_t values = 0;
  uint64_t bytes = 0;  // in files, about
};

struct Removal {
  RunId run;
  bool for_age = false;  // else for the total size
};

// Runs past their age; then, while the rest is larger than `bytes_limit` (0: no
// limit), the oldest.
std::vector<Removal> ChooseRemovals(std::vector<RetentionCandidate> candidates,
                                    int64_t now_ns, uint64_t total_bytes,
                                    uint64_t bytes_limit);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_KEEP_RETENTION_H_
