#include "storage/catalog/catalog.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "storage/format/bytes.h"
#include "storage/format/keys.h"
#include "storage/model/limits.h"
#include "storage/model/names.h"

namespace waterflow::storage {
namespace {

template <typename V>
void Record(std::string key, const V& value, Changes* changes) {
  changes->push_back({std::move(key), EncodeValue(value)});
}

bool IsEnd(RunStatus status) {
  return status == RunStatus::kFinished || status == RunStatus::kFailed ||
         status == RunStatus::kKilled;
}

absl::Status CheckStatus(RunStatus status) {
  if (status < RunStatus::kRunning || status > RunStatus::kKilled) {
    return absl::InvalidArgumentError(
        absl::StrCat("status ", static_cast<int>(status),
                     ": RUNNING (1) to KILLED (5) can be set"));
  }
  return absl::OkStatus();
}

void MergeTags(const Tags& set, const std::vector<std::string>& remove,
               Tags* tags) {
  for (const std::string& key : remove) tags->erase(key);
  for (const auto& [key, value] : set) (*tags)[key] = value;
}

}  // namespace

// ---- projects ----

absl::StatusOr<ProjectId> Catalog::CreateProject(absl::string_view name,
                                                 Tags tags, int64_t now_ns,
                                                 Changes* changes) {
  if (absl::Status s = CheckName("project name", name, 1, kMaxProjectNameBytes);
      !s.ok()) {
    return s;
  }
  if (absl::Status s = CheckTags("tags", tags, kMaxProjectTags); !s.ok()) {
    return s;
  }
  if (project_names_.contains(std::string(name))) {
    return absl::AlreadyExistsError(
        absl::StrCat("project ", Quoted(name), " exists already"));
  }
  const ProjectId id{next_project_};
  PutProject(id, {.name = std::string(name),
                  .created_ns = now_ns,
                  .updated_ns = now_ns,
                  .tags = std::move(tags)});
  Record(CatalogKey(CatalogKind::kProject, id.value), projects_.at(id).value,
         changes);
  return id;
}

absl::StatusOr<ProjectId> Catalog::FindProject(absl::string_view name) const {
  const auto it = project_names_.find(std::string(name));
  if (it == project_names_.end()) {
    return absl::NotFoundError(
        absl::StrCat("project ", Quoted(name), " does not exist"));
  }
  return it->second;
}

absl::Status Catalog::UpdateProject(ProjectId project,
                                    const UpdateProjectOptions& change,
                                    int64_t now_ns, Changes* changes) {
  ProjectValue value = projects_.at(project).value;
  if (change.new_name.has_value() && *change.new_name != value.name) {
    if (absl::Status s =
            CheckName("new_name", *change.new_name, 1, kMaxProjectNameBytes);
        !s.ok()) {
      return s;
    }
    if (project_names_.contains(*change.new_name)) {
      return absl::AlreadyExistsError(absl::StrCat(
          "project ", Quoted(*change.new_name), " exists already"));
    }
    value.name = *change.new_name;
  }
  MergeTags(change.set_tags, change.remove_tags, &value.tags);
  if (absl::Status s = CheckTags("tags", value.tags, kMaxProjectTags);
      !s.ok()) {
    return s;
  }
  if (change.retention_age_ns.has_value()) {
    if (*change.retention_age_ns < kKeepForever) {
      return absl::InvalidArgumentError(
          absl::StrCat("retention_age_ns ", *change.retention_age_ns,
                       ": at least 0, or -1 to keep for ever"));
    }
    value.retention_age_ns = *change.retention_age_ns;
  }
  value.max_rows_per_second =
      change.max_rows_per_second.value_or(value.max_rows_per_second);
  value.max_disk_bytes = change.max_disk_bytes.value_or(value.max_disk_bytes);
  value.updated_ns = now_ns;
  Record(CatalogKey(CatalogKind::kProject, project.value), value, changes);
  PutProject(project, std::move(value));
  return absl::OkStatus();
}

void Catalog::EraseProject(ProjectId project, Changes* changes) {
  project_names_.erase(projects_.at(project).value.name);
  projects_.erase(project);
  changes->push_back(
      {CatalogKey(CatalogKind::kProject, project.value), std::nullopt});
}

Project Catalog::ToProject(ProjectId project) const {
  const ProjectState& state = projects_.at(project);
  return {.id = project,
          .name = state.value.name,
          .tags = state.value.tags,
          .created_ns = state.value.created_ns,
          .updated_ns = state.value.updated_ns,
          .run_count = state.runs.size(),
          .retention_age_ns = state.value.retention_age_ns,
          .max_rows_per_second = state.value.max_rows_per_second,
          .max_disk_bytes = state.value.max_disk_bytes};
}

const std::string& Catalog::ProjectName(ProjectId project) const {
  return projects_.at(project).value.name;
}

std::vector<ProjectId> Catalog::ProjectsByName() const {
  std::vector<ProjectId> ids;
  for (const auto& [name, id] : project_names_) ids.push_back(id);
  return ids;
}

void Catalog::PutProject(ProjectId id, ProjectValue value) {
  ProjectState& state = projects_[id];
  project_names_.erase(state.value.name);
  project_names_[value.name] = id;
  state.value = std::move(value);
  next_project_ = std::max(next_project_, id.value + 1);
}

// ---- runs ----

absl::StatusOr<std::pair<RunId, bool>> Catalog::CreateRun(
    const CreateRunOptions& options, int64_t now_ns, Changes* changes) {
  const std::string& project_name = options.project;
  for (const absl::Status& s :
       {CheckName("project", project_name, 1, kMaxProjectNameBytes),
        CheckName("name", options.name, 0, kMaxRunNameBytes),
        CheckName("key", options.key, 0, kMaxRunKeyBytes),
        CheckTags("params", options.params, kMaxRunTags),
        CheckTags("tags", options.tags, kMaxRunTags)}) {
    if (!s.ok()) return s;
  }
  absl::StatusOr<ProjectId> project = FindProject(project_name);
  if (project.ok() && !options.key.empty()) {
    const auto& by_key = projects_.at(*project).by_key;
    if (const auto it = by_key.find(options.key); it != by_key.end()) {
      return std::pair(it->second, false);
    }
  }
  const Uuid uuid = options.id.value_or(Uuid::Random());
  if (run_names_.contains(uuid)) {
    return absl::AlreadyExistsError(
        absl::StrCat("run ", uuid.ToHex(), " exists already"));
  }
  if (tombstones_.contains(uuid)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "run ", uuid.ToHex(), " was deleted; its id is never used again"));
  }
  std::optional<ForkValue> fork;
  if (options.fork_from.has_value()) {
    absl::StatusOr<ForkValue> found = Resolve(*options.fork_from);
    if (!found.ok()) return found.status();
    fork = *found;
  }
  // From here on nothing is refused: what was changed would not be logged.
  if (!project.ok()) {
    project = CreateProject(project_name, {}, now_ns, changes);
    if (!project.ok()) return project.status();
  }
  const RunId id{next_run_};
  RunValue value{.id = uuid,
                 .project = *project,
                 .name = options.name,
                 .key = options.key,
                 .start_given = options.start_ns.has_value(),
                 .start_ns = options.start_ns.value_or(0),
                 .created_ns = now_ns,
                 .updated_ns = now_ns,
                 .params = options.params,
                 .tags = options.tags,
                 .fork = fork};
  if (value.name.empty()) {
    value.name = absl::StrCat("run-", uuid.ToHex().substr(0, 8));
  }
  Record(CatalogKey(CatalogKind::kRun, id.value), value, changes);
  PutRun(id, std::move(value));
  return std::pair(id, true);
}

const RunState* Catalog::FindRun(RunId run) const {
  const auto it = runs_.find(run);
  return it == runs_.end() ? nullptr : it->second.get();
}

absl::StatusOr<const RunState*> Catalog::FindRun(const Uuid& run) const {
  const auto it = run_names_.find(run);
  if (it == run_names_.end()) {
    return absl::NotFoundError(absl::StrCat(
        "run ", run.ToHex(),
        tombstones_.contains(run) ? " was deleted" : " does not exist"));
  }
  return runs_.at(it->second).get();
}

absl::Status Catalog::UpdateRun(RunId run, const UpdateRunOptions& change,
                                int64_t now_ns, Changes* changes) {
  RunValue value = MutableRun(run).value;
  if (change.status.has_value()) {
    if (absl::Status s = CheckStatus(*change.status); !s.ok()) return s;
    value.status = *change.status;
    value.end_ns = IsEnd(value.status) ? now_ns : 0;
  }
  if (change.end_ns.has_value()) value.end_ns = *change.end_ns;
  if (change.name.has_value()) {
    if (absl::Status s = CheckName("name", *change.name, 0, kMaxRunNameBytes);
        !s.ok()) {
      return s;
    }
    value.name = *change.name;
  }
  for (const auto& [key, param] : change.set_params) {
    const auto [it, is_new] = value.params.emplace(key, param);
    if (!is_new && it->second != param) {
      return absl::FailedPreconditionError(absl::StrCat(
          "params[", key, "] is ", Quoted(it->second),
          " and keeps its first value; ", Quoted(param), " was given"));
    }
  }
  MergeTags(change.set_tags, change.remove_tags, &value.tags);
  for (const absl::Status& s : {CheckTags("params", value.params, kMaxRunTags),
                                CheckTags("tags", value.tags, kMaxRunTags)}) {
    if (!s.ok()) return s;
  }
  value.updated_ns = now_ns;
  Record(CatalogKey(CatalogKind::kRun, run.value), value, changes);
  MutableRun(run).value = std::move(value);
  NoteChange(MutableRun(run));
  return absl::OkStatus();
}

void Catalog::DeleteRun(RunId run, int64_t now_ns, Changes* changes) {
  const Uuid uuid = MutableRun(run).value.id;
  const TombstoneValue tombstone{.deleted_ns = now_ns};
  Record(CatalogKey(CatalogKind::kTombstone, uuid.raw()), tombstone, changes);
  tombstones_[uuid] = tombstone;
  ApplyDelete(run);
}

absl::StatusOr<ForkValue> Catalog::Resolve(const Fork& fork) const {
  absl::StatusOr<const RunState*> parent = FindRun(fork.run);
  if (!parent.ok()) {
    return absl::Status(parent.status().code(),
                        absl::StrCat("fork_from: ", parent.status().message()));
  }
  const RunState* ancestor = *parent;
  for (uint32_t depth = 1; ancestor->value.fork.has_value(); ++depth) {
    if (depth == kMaxForkDepth) {
      return absl::FailedPreconditionError(
          absl::StrCat("fork_from: run ", fork.run.ToHex(), " is a fork of ",
                       depth, " others already, at most ", kMaxForkDepth));
    }
    ancestor = FindRun(ancestor->value.fork->parent);
  }
  // What the parent logs again later is none of the fork's business.
  const auto& attempts = (*parent)->attempts;
  return ForkValue{.parent = (*parent)->id,
                   .attempt = attempts.empty() ? 1 : attempts.rbegin()->first,
                   .step = fork.step};
}

absl::Status Catalog::CheckNotForked(const std::vector<RunId>& runs) const {
  for (const RunId run : runs) {
    for (const RunId fork : FindRun(run)->forks) {
      if (std::find(runs.begin(), runs.end(), fork) != runs.end()) continue;
      return absl::FailedPreconditionError(
          absl::StrCat("run ", FindRun(run)->value.id.ToHex(), " is what run ",
                       FindRun(fork)->value.id.ToHex(),
                       " was forked from; delete that one first"));
    }
  }
  return absl::OkStatus();
}

void Catalog::ApplyDelete(RunId run) {
  const auto it = runs_.find(run);
  if (it == runs_.end()) return;
  const RunValue& value = it->second->value;
  if (value.fork.has_value()) {
    if (const auto parent = runs_.find(value.fork->parent);
        parent != runs_.end()) {
      parent->second->forks.erase(run);
    }
  }
  NoteChange(*it->second);
  run_names_.erase(value.id);
  if (const auto project = projects_.find(value.project);
      project != projects_.end()) {
    project->second.runs.erase(run);
    if (!value.key.empty()) project->second.by_key.erase(value.key);
  }
  runs_.erase(it);
}

Run Catalog::ToRun(const RunState& run) const {
  const RunValue& v = run.value;
  std::optional<Fork> forked_from;
  if (v.fork.has_value()) {
    forked_from =
        Fork{.run = FindRun(v.fork->parent)->value.id, .step = v.fork->step};
  }
  return {.id = v.id,
          .project = projects_.at(v.project).value.name,
          .name = v.name,
          .status = v.status,
          .start_ns = v.start_ns != 0 ? v.start_ns : v.created_ns,
          .end_ns = v.end_ns,
          .params = v.params,
          .tags = v.tags,
          .key = v.key,
          .created_ns = v.created_ns,
          .updated_ns = v.updated_ns,
          .worker_count = run.workers.size(),
          .attempt = run.attempts.empty() ? 0 : run.attempts.rbegin()->first,
          .forked_from = forked_from};
}

std::vector<RunId> Catalog::RunsBelow(std::optional<ProjectId> project,
                                      RunId before, size_t limit) const {
  std::vector<RunId> ids;
  if (project.has_value()) {
    const auto& runs = projects_.at(*project).runs;
    for (auto it = runs.lower_bound(before);
         it != runs.begin() && ids.size() < limit;) {
      ids.push_back(*--it);
    }
    return ids;
  }
  for (auto it = runs_.lower_bound(before);
       it != runs_.begin() && ids.size() < limit;) {
    ids.push_back((--it)->first);
  }
  return ids;
}

std::vector<RunId> Catalog::RunsOf(ProjectId project) const {
  const auto& runs = projects_.at(project).runs;
  return {runs.begin(), runs.end()};
}

void Catalog::PutRun(RunId id, RunValue value) {
  std::unique_ptr<RunState>& run = runs_[id];
  if (run == nullptr) run = std::make_unique<RunState>();
  run->id = id;
  run->value = std::move(value);
  run_names_[run->value.id] = id;
  ProjectState& project = projects_[run->value.project];
  project.runs.insert(id);
  if (!run->value.key.empty()) project.by_key[run->value.key] = id;
  if (run->value.fork.has_value()) {
    // Parents have smaller ids and outlive their forks.
    runs_.at(run->value.fork->parent)->forks.insert(id);
  }
  next_run_ = std::max(next_run_, id.value + 1);
  NoteChange(*run);
}

void Catalog::NoteChange(RunState& run) {
  if (!run.changed) changed_runs_.push_back(run.id);
  run.changed = true;
}

void Catalog::NoteReadingChange(RunState& run) {
  NoteChange(run);
  run.reading_changed = true;
}

std::vector<Catalog::RunChange> Catalog::TakeChangedRuns(size_t limit) {
  std::vector<RunChange> changes;
  while (!changed_runs_.empty() && changes.size() < limit) {
    RunChange& change = changes.emplace_back(RunChange{changed_runs_.back()});
    changed_runs_.pop_back();
    const auto run = runs_.find(change.run);
    if (run == runs_.end()) continue;
    change.reading_changed = run->second->reading_changed;
    run->second->changed = false;
    run->second->reading_changed = false;
  }
  return changes;
}

void Catalog::StartRunAt(RunState& run, int64_t start_ns, Changes* changes) {
  RunValue& value = run.value;
  if (value.start_given) return;
  if (value.start_ns != 0 && value.start_ns <= start_ns) return;
  value.start_ns = start_ns;
  NoteChange(run);
  Record(CatalogKey(CatalogKind::kRun, run.id.value), value, changes);
}

// ---- what streams bring ----

WorkerId Catalog::RegisterWorker(RunId run_id, const StreamOptions& stream,
                                 int64_t now_ns, Changes* changes) {
  RunState& run = MutableRun(run_id);
  const auto known = run.worker_ids.find(stream.worker);
  const WorkerId id = known != run.worker_ids.end()
                          ? known->second
                          : WorkerId{static_cast<uint32_t>(run.workers.size())};
  WorkerValue value{.worker = stream.worker, .first_seen_ns = now_ns};
  if (known != run.worker_ids.end()) value = run.workers[id.value];
  value.attempt = std::max(value.attempt, stream.attempt);
  if (stream.world_size != 0) value.world_size = stream.world_size;
  if (stream.client_time_ns != 0) {
    // Clocks of 1970 and 2200 are accepted; the difference must not overflow.
    if (__builtin_sub_overflow(stream.client_time_ns, now_ns,
                               &value.clock_offset_ns)) {
      value.clock_offset_ns = std::numeric_limits<int64_t>::min();
    }
  }
  Record(CatalogKey(CatalogKind::kWorker, run_id.value, id.value), value,
         changes);
  PutWorker(run, id, std::move(value));
  NoteAttempt(run, stream.attempt, stream.resume_step, changes);
  if (stream.attempt == 1) {
    StartRunAt(run, stream.client_time_ns != 0 ? stream.client_time_ns : now_ns,
               changes);
  }
  return id;
}

void Catalog::PutWorker(RunState& run, WorkerId id, WorkerValue value) {
  if (run.workers.size() <= id.value) run.workers.resize(id.value + 1);
  run.worker_ids[value.worker] = id;
  run.workers[id.value] = std::move(value);
}

void Catalog::NoteAttempt(RunState& run, uint32_t attempt,
                          std::optional<int64_t> resume_step,
                          Changes* changes) {
  const auto [it, is_new] = run.attempts.try_emplace(attempt);
  AttemptValue& value = it->second;
  // Workers of one attempt resume together; the smallest step counts.
  const bool lower =
      resume_step.has_value() &&
      (!value.resume_step.has_value() || *resume_step < *value.resume_step);
  if (lower) value.resume_step = resume_step;
  if (!is_new && !lower) return;
  NoteReadingChange(run);
  Record(CatalogKey(CatalogKind::kAttempt, run.id.value, attempt), value,
         changes);
}

void Catalog::NoteFirstStep(RunId run_id, uint32_t attempt, int64_t step,
                            Changes* changes) {
  RunState& run = MutableRun(run_id);
  AttemptValue& value = run.attempts[attempt];
  if (value.first_step.has_value() && *value.first_step <= step) return;
  value.first_step = step;
  NoteReadingChange(run);
  Record(CatalogKey(CatalogKind::kAttempt, run_id.value, attempt), value,
         changes);
}

std::shared_ptr<const SchemaState> Catalog::ResolveSchema(
    RunId run_id, const std::vector<Metric>& metrics, Changes* changes) {
  RunState& run = MutableRun(run_id);
  std::vector<MetricId> ids;
  ids.reserve(metrics.size());
  for (const Metric& metric : metrics) {
    const MetricId id = Intern(metric.name, changes);
    ids.push_back(id);
    Metric metadata = metric;
    metadata.name.clear();
    // The first writer wins; a schema that says nothing is no writer.
    if (metadata == Metric{} || run.metadata.contains(id)) continue;
    Record(CatalogKey(CatalogKind::kMetadata, run_id.value, id.value),
           MetadataValue{metadata}, changes);
    run.metadata.emplace(id, std::move(metadata));
    NoteReadingChange(run);
  }
  const auto known = run.schema_ids.find(ids);
  if (known != run.schema_ids.end()) return run.schemas[known->second.value];
  const SchemaId id{static_cast<uint32_t>(run.schemas.size())};
  Record(CatalogKey(CatalogKind::kSchema, run_id.value, id.value),
         SchemaValue{ids}, changes);
  PutSchema(run, id, std::move(ids));
  return run.schemas[id.value];
}

void Catalog::PutSchema(RunState& run, SchemaId id,
                        std::vector<MetricId> metrics) {
  if (run.schemas.size() > id.value && run.schemas[id.value] != nullptr) {
    return;  // replayed: a schema never changes
  }
  auto schema = std::make_shared<SchemaState>();
  schema->id = id;
  for (uint32_t column = 0; column < metrics.size(); ++column) {
    schema->names.push_back(MetricName(metrics[column]));
    run.places[metrics[column]].push_back({id, column});
  }
  run.schema_ids[metrics] = id;
  schema->metrics = std::move(metrics);
  if (run.schemas.size() <= id.value) run.schemas.resize(id.value + 1);
  run.schemas[id.value] = std::move(schema);
}

void Catalog::AddLost(RunId run_id, const LostValue& lost, Changes* changes) {
  RunState& run = MutableRun(run_id);
  Record(CatalogKey(CatalogKind::kLost, run_id.value,
                    static_cast<uint32_t>(run.lost.size())),
         lost, changes);
  run.lost.push_back(lost);
}

MetricId Catalog::Intern(absl::string_view name, Changes* changes) {
  if (const auto id = FindMetric(name); id.has_value()) return *id;
  const MetricId id{static_cast<uint32_t>(metric_names_.size())};
  changes->push_back(
      {CatalogKey(CatalogKind::kMetricName, id.value), std::string(name)});
  PutMetric(id, std::string(name));
  return id;
}

void Catalog::PutMetric(MetricId id, std::string name) {
  if (metric_names_.size() <= id.value) metric_names_.resize(id.value + 1);
  metric_ids_[name] = id;
  metric_names_[id.value] = std::move(name);
}

std::optional<MetricId> Catalog::FindMetric(absl::string_view name) const {
  const auto it = metric_ids_.find(name);
  if (it == metric_ids_.end()) return std::nullopt;
  return it->second;
}

const std::string& Catalog::MetricName(MetricId metric) const {
  return metric_names_.at(metric.value);
}

void Catalog::RememberRequest(absl::string_view id, const RequestValue& value,
                              Changes* changes) {
  while (const auto old = requests_.Expired(value.made_ns)) {
    requests_.Erase(*old);
    changes->push_back({CatalogKey(CatalogKind::kRequest, *old), std::nullopt});
  }
  requests_.Put(id, value);
  Record(CatalogKey(CatalogKind::kRequest, id), value, changes);
}

// ---- replay ----

absl::Status Catalog::Apply(absl::string_view key, absl::string_view value) {
  ByteReader in(key);
  const char kind = in.Fixed<char>();
  bool ok = true;
  switch (static_cast<CatalogKind>(kind)) {
    case CatalogKind::kProject: {
      ProjectValue project;
      const ProjectId id{in.BigEndian<uint32_t>()};
      ok = DecodeValue(value, &project);
      if (ok) PutProject(id, std::move(project));
      break;
    }
    case CatalogKind::kRun: {
      RunValue run;
      const RunId id{in.BigEndian<uint32_t>()};
      ok = DecodeValue(value, &run);
      ok = ok && (!run.fork.has_value() ||
                  (run.fork->parent < id && runs_.contains(run.fork->parent)));
      if (ok) PutRun(id, std::move(run));
      break;
    }
    case CatalogKind::kMetricName:
      PutMetric(MetricId{in.BigEndian<uint32_t>()}, std::string(value));
      break;
    case CatalogKind::kTombstone: {
      TombstoneValue tombstone;
      absl::StatusOr<Uuid> id = Uuid::FromBytes(in.rest());
      ok = id.ok() && DecodeValue(value, &tombstone);
      if (ok) tombstones_[*id] = tombstone;
      break;
    }
    case CatalogKind::kRequest: {
      RequestValue request;
      ok = DecodeValue(value, &request);
      if (ok) requests_.Put(in.rest(), request);
      break;
    }
    case CatalogKind::kLane:
    case CatalogKind::kRowCount:
      break;
    default: {
      const uint32_t run = in.BigEndian<uint32_t>();
      ok = in.ok() && ApplyOfRun(kind, run, in.rest(), value);
    }
  }
  if (ok && in.ok()) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("catalog: entry ", Quoted(key), " cannot be read"));
}

bool Catalog::ApplyOfRun(char kind, uint32_t run_id, absl::string_view key_rest,
                         absl::string_view value) {
  const auto it = runs_.find(RunId{run_id});
  // Deleted behind this change.
  if (it == runs_.end()) return true;
  RunState& run = *it->second;
  ByteReader in(key_rest);
  const uint32_t id = in.BigEndian<uint32_t>();
  if (!in.done()) return false;
  switch (static_cast<CatalogKind>(kind)) {
    case CatalogKind::kWorker: {
      WorkerValue worker;
      if (!DecodeValue(value, &worker)) return false;
      PutWorker(run, WorkerId{id}, std::move(worker));
      return true;
    }
    case CatalogKind::kSchema: {
      SchemaValue schema;
      if (!DecodeValue(value, &schema)) return false;
      for (const MetricId metric : schema.metrics) {
        if (metric.value >= metric_names_.size()) return false;
      }
      PutSchema(run, SchemaId{id}, std::move(schema.metrics));
      return true;
    }
    case CatalogKind::kMetadata: {
      MetadataValue metadata;
      if (!DecodeValue(value, &metadata)) return false;
      run.metadata[MetricId{id}] = std::move(metadata.metric);
      return true;
    }
    case CatalogKind::kAttempt:
      return DecodeValue(value, &run.attempts[id]);
    case CatalogKind::kLost: {
      if (run.lost.size() <= id) run.lost.resize(id + 1);
      return DecodeValue(value, &run.lost[id]);
    }
    default:
      return false;
  }
}

void Catalog::ApplyErase(absl::string_view key) {
  ByteReader in(key);
  switch (static_cast<CatalogKind>(in.Fixed<char>())) {
    case CatalogKind::kRequest:
      requests_.Erase(in.rest());
      return;
    case CatalogKind::kProject: {
      const auto it = projects_.find(ProjectId{in.BigEndian<uint32_t>()});
      if (it == projects_.end()) return;
      project_names_.erase(it->second.value.name);
      projects_.erase(it);
      return;
    }
    default:
      return;
  }
}

}  // namespace waterflow::storage
