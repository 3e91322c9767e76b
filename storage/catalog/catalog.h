// What is known of projects, runs, workers and schemas: all of it in memory,
// changed by the calls below, each of which also says what must be written to
// make the change last (Changes). The caller puts these into the log in the
// order of the calls; Apply() replays them, so that the catalog after a restart
// is the one before it.
//
// Not thread-safe: the engine guards it by one lock and hands the changes to
// the log before it lets go of that.
#ifndef WATERFLOW_STORAGE_CATALOG_CATALOG_H_
#define WATERFLOW_STORAGE_CATALOG_CATALOG_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/catalog/request_memory.h"
#include "storage/catalog/run_state.h"
#include "storage/engine.h"

namespace waterflow::storage {

// One key of the catalog set, or erased.
struct Change {
  std::string key;
  std::optional<std::string> value;
};
using Changes = std::vector<Change>;

class Catalog {
 public:
  // A change read back from disk or from the log. Lanes and row counts are
  // passed over: they live with the heads. DATA_LOSS when it cannot be read.
  absl::Status Apply(absl::string_view key, absl::string_view value);
  void ApplyErase(absl::string_view key);
  void ApplyDelete(RunId run);

  // ---- projects ----
  absl::StatusOr<ProjectId> CreateProject(absl::string_view name, Tags tags,
                                          int64_t now_ns, Changes* changes);
  absl::StatusOr<ProjectId> FindProject(absl::string_view name) const;
  absl::Status UpdateProject(ProjectId project,
                             const UpdateProjectOptions& change, int64_t now_ns,
                             Changes* changes);
  // Its runs must be gone.
  void EraseProject(ProjectId project, Changes* changes);
  Project ToProject(ProjectId project) const;
  const std::string& ProjectName(ProjectId project) const;
  std::vector<ProjectId> ProjectsByName() const;
  size_t project_count() const { return projects_.size(); }

  // ---- runs ----
  // The bool: whether it is new.
  absl::StatusOr<std::pair<RunId, bool>> CreateRun(
      const CreateRunOptions& options, int64_t now_ns, Changes* changes);
  // Null when there is none.
  const RunState* FindRun(RunId run) const;
  absl::StatusOr<const RunState*> FindRun(const Uuid& run) const;
  absl::Status UpdateRun(RunId run, const UpdateRunOptions& change,
                         int64_t now_ns, Changes* changes);
  // Forgets the run and marks its name as used. Its keys on disk go when the
  // log's delete record is sealed.
  void DeleteRun(RunId run, int64_t now_ns, Changes* changes);
  // FAILED_PRECONDITION names the forks that still read these runs and are not
  // among them themselves.
  absl::Status CheckNotForked(const std::vector<RunId>& runs) const;
  // Without the counts, which live with the heads.
  Run ToRun(const RunState& run) const;
  // Runs of a project, or of all, from the newest down, beginning below
  // `before`.
  std::vector<RunId> RunsBelow(std::optional<ProjectId> project, RunId before,
                               size_t limit) const;
  std::vector<RunId> RunsOf(ProjectId project) const;
  // This id was given out once: rows of a run that was deleted may still bear
  // it.
  void NeverGiveOut(RunId run) {
    next_run_ = next_run_ > run.value ? next_run_ : run.value + 1;
  }
  size_t run_count() const { return runs_.size(); }
  struct RunChange {
    RunId run;                     // may be gone
    bool reading_changed = false;  // also which rows of it are read, and how
  };
  // Runs that are new, changed or gone since they were last named here; at most
  // `limit` of them, none when there are no more. After a start these are all.
  std::vector<RunChange> TakeChangedRuns(size_t limit);

  // ---- what streams bring ----
  WorkerId RegisterWorker(RunId run, const StreamOptions& stream,
                          int64_t now_ns, Changes* changes);
  void NoteFirstStep(RunId run, uint32_t attempt, int64_t step,
                     Changes* changes);
  // The metrics must have passed CheckSchema.
  std::shared_ptr<const SchemaState> ResolveSchema(
      RunId run, const std::vector<Metric>& metrics, Changes* changes);
  void AddLost(RunId run, const LostValue& lost, Changes* changes);

  std::optional<MetricId> FindMetric(absl::string_view name) const;
  const std::string& MetricName(MetricId metric) const;

  RequestMemory& requests() { return requests_; }
  void RememberRequest(absl::string_view id, const RequestValue& value,
                       Changes* changes);

 private:
  struct ProjectState {
    ProjectValue value;
    absl::btree_set<RunId> runs;
    absl::flat_hash_map<std::string, RunId> by_key;
  };

  RunState& MutableRun(RunId run) { return *runs_.at(run); }
  void NoteChange(RunState& run);
  void NoteReadingChange(RunState& run);
  void PutProject(ProjectId id, ProjectValue value);
  void PutRun(RunId id, RunValue value);
  absl::StatusOr<ForkValue> Resolve(const Fork& fork) const;
  void PutWorker(RunState& run, WorkerId id, WorkerValue value);
  void PutSchema(RunState& run, SchemaId id, std::vector<MetricId> metrics);
  void PutMetric(MetricId id, std::string name);
  void StartRunAt(RunState& run, int64_t start_ns, Changes* changes);
  void NoteAttempt(RunState& run, uint32_t attempt,
                   std::optional<int64_t> resume_step, Changes* changes);
  MetricId Intern(absl::string_view name, Changes* changes);
  bool ApplyOfRun(char kind, uint32_t run, absl::string_view key_rest,
                  absl::string_view value);

  absl::btree_map<ProjectId, ProjectState> projects_;
  absl::btree_map<std::string, ProjectId> project_names_;
  absl::btree_map<RunId, std::unique_ptr<RunState>> runs_;
  absl::flat_hash_map<Uuid, RunId> run_names_;
  std::vector<RunId> changed_runs_;
  absl::flat_hash_map<Uuid, TombstoneValue> tombstones_;
  std::vector<std::string> metric_names_;  // by MetricId
  absl::flat_hash_map<std::string, MetricId> metric_ids_;
  RequestMemory requests_;
  uint32_t next_project_ = 1;
  uint32_t next_run_ = 1;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_CATALOG_CATALOG_H_
