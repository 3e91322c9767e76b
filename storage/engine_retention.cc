// Retention: looks now and then at what storage/keep/retention.h would remove,
// and deletes it the way a client would.
#include <algorithm>

#include "absl/time/clock.h"
#include "storage/engine_core.h"

namespace waterflow::storage {

std::vector<RetentionCandidate> EngineCore::RetentionCandidates() {
  absl::flat_hash_set<RunId> streaming;
  for (const auto& [name, session] : streams_) {
    if (!session->closed.load()) streaming.insert(name.run);
  }
  std::vector<RetentionCandidate> candidates;
  for (const ProjectId id : catalog_.ProjectsByName()) {
    int64_t age_ns = catalog_.ToProject(id).retention_age_ns;
    if (age_ns == 0) age_ns = absl::ToInt64Nanoseconds(options_.retention_age);
    for (const RunId run_id : catalog_.RunsOf(id)) {
      const Run run = ToRun(*catalog_.FindRun(run_id));
      int64_t last_write_ns =
          std::max(state_.activity(run_id).last_seen_ns, run.updated_ns);
      // When a lost run wrote last may be forgotten over a restart.
      if (run.status == RunStatus::kLost) {
        last_write_ns = std::max(last_write_ns, opened_ns_);
      }
      candidates.push_back({.run = run_id,
                            .status = run.status,
                            .held = streaming.contains(run_id) ||
                                    !catalog_.FindRun(run_id)->forks.empty(),
                            .last_write_ns = last_write_ns,
                            .age_limit_ns = std::max<int64_t>(age_ns, 0),
                            .values = run.value_count,
                            .bytes = 0});
    }
  }
  return candidates;
}

namespace {

// What the files of generations hold of runs that live. A deleted run's bytes
// are as good as gone, though the merge that gives them back may take a while:
// a look that counts them would remove the next run for them.
uint64_t LiveBytes(
    const std::vector<std::shared_ptr<const Generation>>& generations,
    absl::Span<const RetentionCandidate> live) {
  absl::flat_hash_set<RunId> ids;
  for (const RetentionCandidate& run : live) ids.insert(run.run);
  double bytes = 0;
  for (const auto& generation : generations) {
    uint64_t rows = 0;
    for (const auto& [run, rows_of_run] : generation->runs) {
      if (ids.contains(run)) rows += rows_of_run;
    }
    bytes += static_cast<double>(generation->bytes) *
             static_cast<double>(rows) /
             static_cast<double>(std::max<uint64_t>(generation->rows, 1));
  }
  return static_cast<uint64_t>(bytes);
}

}  // namespace

void EngineCore::Retain() {
  std::vector<RetentionCandidate> candidates;
  {
    MutexLock lock(&mutex_);
    if (closing_) return;
    candidates = RetentionCandidates();
  }
  const bool by_size = options_.retention_bytes > 0;
  const auto limited = [](const RetentionCandidate& run) {
    return run.age_limit_ns > 0;
  };
  if (!by_size && std::none_of(candidates.begin(), candidates.end(), limited)) {
    return;
  }
  const auto generations = state_.generations();
  const uint64_t total_bytes = LiveBytes(generations, candidates);
  double values = 0;
  for (const RetentionCandidate& run : candidates) {
    values += static_cast<double>(run.values);
  }
  for (RetentionCandidate& candidate : candidates) {
    // Files know sizes by their blocks, and a small run may have none of its
    // own: it has at least its share of the values.
    candidate.bytes = static_cast<uint64_t>(
        static_cast<double>(total_bytes) *
        static_cast<double>(candidate.values) / std::max(values, 1.0));
    uint64_t bytes = 0;
    for (const auto& generation : generations) {
      if (!generation->runs.contains(candidate.run)) continue;
      bytes += BytesIn(*generation, candidate.run);
    }
    candidate.bytes = std::max(candidate.bytes, bytes);
  }
  const int64_t now_ns = absl::GetCurrentTimeNanos();
  const std::vector<Removal> removals =
      ChooseRemovals(candidates, now_ns, total_bytes, options_.retention_bytes);
  std::vector<RemovedRun> removed;
  for (const Removal& removal : removals) {
    const auto chosen = std::find_if(
        candidates.begin(), candidates.end(),
        [&](const RetentionCandidate& c) { return c.run == removal.run; });
    MutexLock lock(&mutex_);
    if (closing_) return;
    // It may have come back to life meanwhile, or be kept for longer.
    const std::vector<RetentionCandidate> now = RetentionCandidates();
    const auto same =
        std::find_if(now.begin(), now.end(), [&](const RetentionCandidate& c) {
          return c.run == chosen->run && c.status == chosen->status &&
                 !c.held && c.last_write_ns == chosen->last_write_ns &&
                 c.age_limit_ns == chosen->age_limit_ns;
        });
    if (same == now.end()) continue;
    const Run run = ToRun(*catalog_.FindRun(removal.run));
    removed.push_back({.id = run.id,
                       .project = run.project,
                       .name = run.name,
                       .last_write_ns = chosen->last_write_ns,
                       .bytes = chosen->bytes,
                       .for_age = removal.for_age});
    DeleteLocked(removal.run, now_ns);
  }
  if (removed.empty() || !Barrier().ok()) return;
  // Only behind a seal do merges leave them out.
  sealer_.SealNow().IgnoreError();
  if (!options_.on_run_removed) return;
  for (const RemovedRun& run : removed) options_.on_run_removed(run);
}

}  // namespace waterflow::storage
