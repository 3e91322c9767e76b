// Projects and runs: each call changes the catalog under its lock, puts the
// change into the log before it lets go, and answers when that is durable.
#include <algorithm>
#include <iterator>
#include <limits>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/engine_core.h"
#include "storage/model/limits.h"
#include "storage/model/names.h"

namespace waterflow::storage {
namespace {

// A RUNNING run that is silent for so long reads as LOST.
constexpr absl::Duration kSilence = absl::Minutes(5);

}  // namespace

void EngineCore::Log(Changes changes) {
  if (changes.empty()) return;
  Pending item;
  item.changes = std::move(changes);
  committer_.Enqueue(std::move(item));
}

Run EngineCore::ToRun(const RunState& state) {
  Run run = catalog_.ToRun(state);
  const RunActivity activity = state_.activity(state.id);
  run.row_count = activity.rows;
  run.value_count = activity.values;
  run.status = StatusOf(state);
  return run;
}

RunStatus EngineCore::StatusOf(const RunState& state) {
  const RunStatus status = state.value.status;
  if (status != RunStatus::kRunning) return status;
  const RunId run = state.id;
  const int64_t last_seen_ns = state_.LastSeen({&run, 1})[0];
  return IsSilent(last_seen_ns, state.value.updated_ns,
                  absl::GetCurrentTimeNanos())
             ? RunStatus::kLost
             : status;
}

bool EngineCore::IsSilent(int64_t last_seen_ns, int64_t updated_ns,
                          int64_t now_ns) const {
  // Silence is counted from the last word, or from when we began to listen.
  const int64_t heard = std::max({last_seen_ns, updated_ns, opened_ns_});
  return now_ns - heard > absl::ToInt64Nanoseconds(kSilence);
}

absl::StatusOr<Project> EngineCore::CreateProject(std::string name, Tags tags) {
  absl::StatusOr<Project> project;
  {
    MutexLock lock(&mutex_);
    Changes changes;
    absl::StatusOr<ProjectId> id = catalog_.CreateProject(
        name, std::move(tags), absl::GetCurrentTimeNanos(), &changes);
    if (!id.ok()) return id.status();
    project = ToProject(*id);
    Log(std::move(changes));
  }
  if (absl::Status s = Barrier(); !s.ok()) return s;
  return project;
}

absl::StatusOr<Project> EngineCore::GetProject(absl::string_view name) {
  MutexLock lock(&mutex_);
  absl::StatusOr<ProjectId> id = catalog_.FindProject(name);
  if (!id.ok()) return id.status();
  return ToProject(*id);
}

std::vector<Project> EngineCore::ListProjects() {
  MutexLock lock(&mutex_);
  std::vector<Project> projects;
  for (const ProjectId id : catalog_.ProjectsByName()) {
    projects.push_back(ToProject(id));
  }
  return projects;
}

absl::StatusOr<Project> EngineCore::UpdateProject(
    absl::string_view name, const UpdateProjectOptions& change) {
  absl::StatusOr<Project> project;
  std::shared_ptr<ProjectQuota> quota;
  {
    MutexLock lock(&mutex_);
    absl::StatusOr<ProjectId> id = catalog_.FindProject(name);
    if (!id.ok()) return id.status();
    Changes changes;
    if (absl::Status s = catalog_.UpdateProject(
            *id, change, absl::GetCurrentTimeNanos(), &changes);
        !s.ok()) {
      return s;
    }
    project = ToProject(*id);
    quota = QuotaOf(*id);
    quota->rows.SetLimit(project->max_rows_per_second);
    Log(std::move(changes));
  }
  if (change.max_disk_bytes.has_value()) {
    MeasureProjects();
    if (project->max_disk_bytes != 0) project->disk_bytes = quota->disk_bytes;
  }
  if (absl::Status s = Barrier(); !s.ok()) return s;
  return project;
}

absl::StatusOr<uint64_t> EngineCore::DeleteProject(absl::string_view name) {
  uint64_t count = 0;
  {
    MutexLock lock(&mutex_);
    absl::StatusOr<ProjectId> id = catalog_.FindProject(name);
    if (!id.ok()) return id.status();
    const int64_t now_ns = absl::GetCurrentTimeNanos();
    std::vector<RunId> runs = catalog_.RunsOf(*id);
    if (absl::Status s = catalog_.CheckNotForked(runs); !s.ok()) return s;
    // Forks before what they were forked from.
    std::reverse(runs.begin(), runs.end());
    for (const RunId run : runs) {
      DeleteLocked(run, now_ns);
      ++count;
    }
    Changes changes;
    catalog_.EraseProject(*id, &changes);
    quotas_.erase(*id);
    Log(std::move(changes));
  }
  if (absl::Status s = Barrier(); !s.ok()) return s;
  database_->Reach("delete:after_record");
  sealer_.Wake();
  return count;
}

absl::StatusOr<std::pair<Run, bool>> EngineCore::CreateRun(
    CreateRunOptions options) {
  std::pair<Run, bool> created;
  {
    MutexLock lock(&mutex_);
    if (absl::Status s = CheckOpen(); !s.ok()) return s;
    Changes changes;
    absl::StatusOr<std::pair<RunId, bool>> id =
        catalog_.CreateRun(options, absl::GetCurrentTimeNanos(), &changes);
    if (!id.ok()) return id.status();
    created = {ToRun(*catalog_.FindRun(id->first)), id->second};
    Log(std::move(changes));
  }
  // Also for a run that was there: another call may have made it just now.
  if (absl::Status s = Barrier(); !s.ok()) return s;
  return created;
}

absl::StatusOr<Run> EngineCore::GetRun(const Uuid& run) {
  MutexLock lock(&mutex_);
  absl::StatusOr<const RunState*> state = catalog_.FindRun(run);
  if (!state.ok()) return state.status();
  return ToRun(**state);
}

absl::StatusOr<RunPage> EngineCore::ListRuns(absl::string_view project,
                                             uint32_t page_size,
                                             absl::string_view page_token) {
  if (page_size == 0) page_size = kDefaultPageSize;
  if (page_size > kMaxPageSize) {
    return absl::InvalidArgumentError(
        absl::StrCat("page_size ", page_size, ": at most ", kMaxPageSize));
  }
  RunId before{std::numeric_limits<uint32_t>::max()};
  if (!page_token.empty() && !absl::SimpleAtoi(page_token, &before.value)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "page_token ", Quoted(page_token), ": is none that was given out"));
  }
  MutexLock lock(&mutex_);
  std::optional<ProjectId> in;
  if (!project.empty()) {
    absl::StatusOr<ProjectId> id = catalog_.FindProject(project);
    if (!id.ok()) return id.status();
    in = *id;
  }
  const std::vector<RunId> ids = catalog_.RunsBelow(in, before, page_size);
  RunPage page;
  for (const RunId id : ids) page.runs.push_back(ToRun(*catalog_.FindRun(id)));
  if (!ids.empty() && !catalog_.RunsBelow(in, ids.back(), 1).empty()) {
    page.next_page_token = absl::StrCat(ids.back().value);
  }
  return page;
}

absl::StatusOr<Run> EngineCore::UpdateRun(const Uuid& run,
                                          const UpdateRunOptions& change) {
  absl::StatusOr<Run> updated;
  {
    MutexLock lock(&mutex_);
    absl::StatusOr<const RunState*> state = catalog_.FindRun(run);
    if (!state.ok()) return state.status();
    Changes changes;
    if (absl::Status s = catalog_.UpdateRun(
            (*state)->id, change, absl::GetCurrentTimeNanos(), &changes);
        !s.ok()) {
      return s;
    }
    updated = ToRun(**state);
    Log(std::move(changes));
  }
  if (absl::Status s = Barrier(); !s.ok()) return s;
  return updated;
}

absl::Status EngineCore::DeleteRun(const Uuid& run) {
  {
    MutexLock lock(&mutex_);
    absl::StatusOr<const RunState*> state = catalog_.FindRun(run);
    if (!state.ok()) return state.status();
    const RunId id = (*state)->id;
    if (absl::Status s = catalog_.CheckNotForked({id}); !s.ok()) return s;
    DeleteLocked(id, absl::GetCurrentTimeNanos());
  }
  if (absl::Status s = Barrier(); !s.ok()) return s;
  database_->Reach("delete:after_record");
  sealer_.Wake();
  return absl::OkStatus();
}

void EngineCore::DeleteLocked(RunId run, int64_t now_ns) {
  const std::string name = catalog_.FindRun(run)->value.id.ToHex();
  // What its streams have queued is dropped by the committer.
  std::vector<Pending> ends;
  for (auto it = streams_.begin(); it != streams_.end();) {
    if (it->first.run != run) {
      ++it;
      continue;
    }
    it->second->failed.store(true);
    ends.push_back(EndOf(it->second, absl::NotFoundError(absl::StrCat(
                                         "run ", name, " was deleted"))));
    streams_.erase(it++);
  }
  // Its rows and its name go in one group.
  std::vector<Pending> items(2);
  catalog_.DeleteRun(run, now_ns, &items[0].changes);
  items[0].joined = true;
  items[1].kind = Pending::Kind::kDelete;
  items[1].run = run;
  std::move(ends.begin(), ends.end(), std::back_inserter(items));
  committer_.Enqueue(absl::MakeSpan(items));
}

}  // namespace waterflow::storage
