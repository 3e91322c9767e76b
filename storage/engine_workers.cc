// Questions about the workers of a run.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "storage/engine_core.h"
#include "storage/model/limits.h"
#include "storage/model/names.h"
#include "storage/query/check.h"
#include "storage/query/worker_ranking.h"

namespace waterflow::storage {
namespace {

// By whose role it says how long a step took.
constexpr absl::string_view kStepTimeRole = "step_time";

absl::Status CheckLimit(uint32_t limit) {
  if (limit <= kMaxRankedWorkers) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("limit ", limit, ": at most ", kMaxRankedWorkers));
}

}  // namespace

absl::StatusOr<WorkerRanking> EngineCore::RankWorkers(
    const RankWorkersSpec& spec) {
  for (const absl::Status& s :
       {CheckRange("step_range", spec.step_range),
        CheckRange("time_range", spec.time_range), CheckLimit(spec.limit)}) {
    if (!s.ok()) return s;
  }
  if (!(spec.min_deviation >= 0)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "min_deviation ", spec.min_deviation, ": must be 0 or more"));
  }
  absl::StatusOr<Lineage> lineage =
      LineageOf(spec.run, {spec.metric}, spec.workers);
  if (!lineage.ok()) return lineage.status();
  if (lineage->metrics().empty()) {
    return absl::NotFoundError(
        absl::StrCat("metric ", Quoted(spec.metric), " is not in the run"));
  }
  LineageReader reader(*lineage, database_.get(), &state_);
  return storage::RankWorkers(spec, &reader, options_.query_memory_bytes);
}

absl::StatusOr<Stragglers> EngineCore::FindStragglers(
    const StragglersSpec& spec) {
  for (const absl::Status& s :
       {CheckRange("step_range", spec.step_range), CheckLimit(spec.limit)}) {
    if (!s.ok()) return s;
  }
  absl::StatusOr<std::vector<Metric>> metrics = ListMetrics(spec.run);
  if (!metrics.ok()) return metrics.status();
  const auto step_time = std::find_if(
      metrics->begin(), metrics->end(),
      [](const Metric& metric) { return metric.role == kStepTimeRole; });
  const bool by_time = step_time == metrics->end();
  std::vector<std::string> names;
  if (!by_time) names.push_back(step_time->name);
  absl::StatusOr<Lineage> lineage = LineageOf(spec.run, names, spec.workers);
  if (!lineage.ok()) return lineage.status();
  if (lineage->metrics().empty()) return Stragglers();
  LineageReader reader(*lineage, database_.get(), &state_);
  size_t metric = 0;
  if (by_time) {
    const PointFilter filter{.axis = Axis::kStep,
                             .step_range = spec.step_range,
                             .time_range = std::nullopt};
    absl::StatusOr<size_t> longest = LongestMetric(*lineage, &reader, filter);
    if (!longest.ok()) return longest.status();
    metric = *longest;
  }
  absl::StatusOr<Stragglers> found = storage::FindStragglers(
      spec, &reader, metric, by_time, options_.query_memory_bytes);
  if (!found.ok()) return found;
  found->unit = by_time ? "s" : step_time->unit;
  if (!by_time) found->metric = step_time->name;
  return found;
}

absl::StatusOr<MissingWorkers> EngineCore::FindMissing(
    const MissingSpec& spec) {
  absl::StatusOr<std::vector<WorkerInfo>> workers = ListWorkers(spec.run);
  if (!workers.ok()) return workers.status();
  absl::StatusOr<Lineage> lineage = LineageOf(spec.run, {}, std::nullopt);
  if (!lineage.ok()) return lineage.status();
  LineageReader reader(*lineage, database_.get(), &state_);
  const auto last_steps = LastSteps(*lineage, &reader);
  if (!last_steps.ok()) return last_steps.status();
  MissingWorkers missing;
  missing.worker_count = workers->size();
  std::optional<int64_t> greatest = spec.step;
  for (const auto& [worker, step] : *last_steps) {
    if (!spec.step.has_value()) {
      greatest = std::max(greatest.value_or(step), step);
    }
  }
  missing.step = greatest.value_or(0);
  for (const WorkerInfo& worker : *workers) {
    const auto it = last_steps->find(worker.worker);
    std::optional<int64_t> step;
    if (it != last_steps->end()) step = it->second;
    if (step.has_value() && *step >= missing.step) continue;
    missing.workers.push_back({.worker = worker.worker,
                               .last_step = step,
                               .last_seen_ns = worker.last_seen_ns});
  }
  return missing;
}

}  // namespace waterflow::storage
