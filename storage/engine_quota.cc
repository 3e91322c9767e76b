// Quotas: what projects and runs may take in, and how the bytes that a project
// takes are counted.
#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "storage/engine_core.h"
#include "storage/format/keys.h"
#include "storage/model/names.h"

namespace waterflow::storage {
namespace {

absl::Status TooManyRows(absl::string_view whose, const RowRate& rate,
                         int64_t wait_ns) {
  return absl::ResourceExhaustedError(
      absl::StrCat(whose, ": max_rows_per_second is ", rate.limit(),
                   ", more rows are taken in ",
                   absl::FormatDuration(absl::Nanoseconds(wait_ns))));
}

}  // namespace

std::shared_ptr<ProjectQuota> EngineCore::QuotaOf(ProjectId project) {
  std::shared_ptr<ProjectQuota>& quota = quotas_[project];
  if (quota == nullptr) {
    quota = std::make_shared<ProjectQuota>();
    quota->rows.SetLimit(catalog_.ToProject(project).max_rows_per_second);
  }
  return quota;
}

SessionQuota EngineCore::SessionQuotaOf(ProjectId project) {
  return {.project = QuotaOf(project), .server = &server_rows_};
}

Project EngineCore::ToProject(ProjectId id) {
  Project project = catalog_.ToProject(id);
  if (project.max_disk_bytes != 0) {
    project.disk_bytes = QuotaOf(id)->disk_bytes.load();
  }
  return project;
}

absl::Status EngineCore::CheckWorkerRoom(const RunState& run,
                                         const Worker& worker) const {
  if (run.worker_ids.contains(worker) ||
      run.workers.size() < options_.max_workers_per_run) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("run ", run.value.id.ToHex(), ": has ", run.workers.size(),
                   " workers, max_workers_per_run is ",
                   options_.max_workers_per_run, " (--max-workers-per-run)"));
}

absl::Status EngineCore::CheckProjectDisk(ProjectId id) {
  const std::shared_ptr<ProjectQuota> quota = QuotaOf(id);
  if (!quota->disk_full.load()) return absl::OkStatus();
  const Project project = catalog_.ToProject(id);
  return absl::ResourceExhaustedError(
      absl::StrCat("project ", Quoted(project.name), ": max_disk_bytes is ",
                   project.max_disk_bytes, ", its files take ",
                   quota->disk_bytes.load(), "; delete runs or raise it"));
}

absl::Status EngineCore::CheckRunDisk(RunId run) {
  MutexLock lock(&mutex_);
  const RunState* state = catalog_.FindRun(run);
  if (state == nullptr) return absl::NotFoundError("the run was deleted");
  return CheckProjectDisk(state->value.project);
}

absl::Status EngineCore::CheckRate(ProjectId id) {
  const std::shared_ptr<ProjectQuota> quota = QuotaOf(id);
  if (const int64_t wait = quota->rows.Wait(); wait > 0) {
    return TooManyRows(
        absl::StrCat("project ", Quoted(catalog_.ToProject(id).name)),
        quota->rows, wait);
  }
  if (const int64_t wait = server_rows_.Wait(); wait > 0) {
    return TooManyRows("the server", server_rows_, wait);
  }
  return absl::OkStatus();
}

void EngineCore::MeasureProjects() {
  MutexLock one_at_a_time(&measure_mutex_);
  absl::flat_hash_map<RunId, ProjectId> limited;  // runs of such projects
  {
    MutexLock lock(&mutex_);
    for (const ProjectId project : catalog_.ProjectsByName()) {
      if (catalog_.ToProject(project).max_disk_bytes == 0) continue;
      for (const RunId run : catalog_.RunsOf(project)) limited[run] = project;
    }
  }
  // Files never change, so each generation is measured once.
  absl::flat_hash_map<GenerationId, RunBytes> measured;
  absl::flat_hash_map<ProjectId, uint64_t> bytes;
  // Mostly there are no such projects, and nothing to look at.
  if (!limited.empty()) {
    for (const auto& generation : state_.generations()) {
      RunBytes& runs = measured[generation->id];
      if (const auto known = measured_.find(generation->id);
          known != measured_.end()) {
        runs = std::move(known->second);
      }
      for (const auto& [run, rows] : generation->runs) {
        const auto project = limited.find(run);
        if (project == limited.end()) continue;
        const auto [of_run, is_new] = runs.try_emplace(run);
        if (is_new) of_run->second = BytesIn(*generation, run);
        bytes[project->second] += of_run->second;
      }
    }
  }
  measured_ = std::move(measured);

  MutexLock lock(&mutex_);
  for (const ProjectId id : catalog_.ProjectsByName()) {
    const uint64_t limit = catalog_.ToProject(id).max_disk_bytes;
    if (limit == 0 && !quotas_.contains(id)) continue;
    const std::shared_ptr<ProjectQuota> quota = QuotaOf(id);
    quota->disk_bytes.store(bytes[id]);
    quota->disk_full.store(limit != 0 && bytes[id] > limit);
  }
}

uint64_t EngineCore::BytesIn(const Generation& generation, RunId run) const {
  const std::string prefix = RunPrefix(generation.id, run);
  uint64_t bytes = 0;
  for (const Family family : kGenerationFamilies) {
    bytes += database_->ApproximateBytes(family, prefix, PrefixEnd(prefix));
  }
  return bytes;
}

}  // namespace waterflow::storage
