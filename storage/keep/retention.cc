#include "storage/keep/retention.h"

#include <algorithm>

namespace waterflow::storage {
namespace {

bool HasEnded(RunStatus status) {
  return status == RunStatus::kFinished || status == RunStatus::kFailed ||
         status == RunStatus::kKilled;
}

bool MayGoForAge(const RetentionCandidate& run, int64_t silence_ns) {
  return !run.held && run.age_limit_ns > 0 && silence_ns > run.age_limit_ns &&
         (HasEnded(run.status) || run.status == RunStatus::kLost);
}

bool MayGoForSize(const RetentionCandidate& run, int64_t silence_ns) {
  return !run.held && run.bytes > 0 &&
         (HasEnded(run.status) ||
          (run.status == RunStatus::kLost && silence_ns > kLostGraceNs));
}

}  // namespace

std::vector<Removal> ChooseRemovals(std::vector<RetentionCandidate> candidates,
                                    int64_t now_ns, uint64_t total_bytes,
                                    uint64_t bytes_limit) {
  std::sort(candidates.begin(), candidates.end(),
            [](const RetentionCandidate& a, const RetentionCandidate& b) {
              return a.last_write_ns < b.last_write_ns;
            });
  std::vector<Removal> removals;
  const auto removed = [&](const RetentionCandidate& run) {
    total_bytes -= std::min(total_bytes, run.bytes);
  };
  for (const RetentionCandidate& run : candidates) {
    if (!MayGoForAge(run, now_ns - run.last_write_ns)) continue;
    removals.push_back({.run = run.run, .for_age = true});
    removed(run);
  }
  const size_t aged = removals.size();
  for (const RetentionCandidate& run : candidates) {
    if (bytes_limit == 0 || total_bytes <= bytes_limit) break;
    const bool gone = std::any_of(
        removals.begin(), removals.begin() + static_cast<ptrdiff_t>(aged),
        [&](const Removal& removal) { return removal.run == run.run; });
    if (gone || !MayGoForSize(run, now_ns - run.last_write_ns)) continue;
    removals.push_back({.run = run.run, .for_age = false});
    removed(run);
  }
  return removals;
}

}  // namespace waterflow::storage
