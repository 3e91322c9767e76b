// Values out: a view of the run from the catalog, a snapshot of what is stored,
// and the readers of storage/query.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/engine_core.h"
#include "storage/model/limits.h"
#include "storage/model/names.h"
#include "storage/query/answer.h"
#include "storage/query/last_values.h"
#include "storage/query/series.h"

namespace waterflow::storage {

absl::StatusOr<RunView> EngineCore::ViewOf(
    const Uuid& run, absl::Span<const std::string> metrics,
    const std::optional<std::vector<Worker>>& workers) {
  MutexLock lock(&mutex_);
  absl::StatusOr<const RunState*> found = catalog_.FindRun(run);
  if (!found.ok()) return found.status();
  const RunState& state = **found;
  RunView view;
  view.id = state.id;
  view.uuid = run;
  view.start_ns = catalog_.ToRun(state).start_ns;
  for (const WorkerValue& worker : state.workers) {
    view.workers.push_back(worker.worker);
  }
  if (workers.has_value()) {
    view.selected.emplace();
    for (const Worker& worker : *workers) {
      const auto it = state.worker_ids.find(worker);
      if (it == state.worker_ids.end()) {
        return absl::NotFoundError(
            absl::StrCat("run ", run.ToHex(), " has no worker of role ",
                         Quoted(worker.role), " and rank ", worker.rank));
      }
      view.selected->insert(it->second);
    }
  }
  view.schemas = state.schemas;
  view.hiding_steps = state.HidingSteps();
  const auto add = [&](MetricId id, const std::vector<MetricPlace>& places) {
    MetricView metric{.name = catalog_.MetricName(id), .places = places};
    if (const auto it = state.metadata.find(id);
        it != state.metadata.end() &&
        it->second.reduction != Reduction::kNone) {
      metric.reduction = it->second.reduction;
    }
    view.metrics.push_back(std::move(metric));
  };
  if (metrics.empty()) {
    for (const auto& [id, places] : state.places) add(id, places);
    std::sort(view.metrics.begin(), view.metrics.end(),
              [](const MetricView& a, const MetricView& b) {
                return a.name < b.name;
              });
  }
  for (const std::string& name : metrics) {
    const std::optional<MetricId> id = catalog_.FindMetric(name);
    if (!id.has_value()) continue;
    const auto it = state.places.find(*id);
    if (it != state.places.end()) add(*id, it->second);
  }
  for (const LostValue& lost : state.lost) {
    if (!view.Selects(lost.worker)) continue;
    view.lost.push_back({.run = run,
                         .worker = view.workers[lost.worker.value],
                         .metrics = state.schemas[lost.schema.value]->names,
                         .first_row = lost.first_row,
                         .end_row = lost.end_row});
  }
  return view;
}

Snapshot EngineCore::SnapshotFor(const RunView& view) {
  return state_.TakeSnapshot(
      view.id, view.SchemasRead(),
      view.selected.has_value() ? &*view.selected : nullptr);
}

absl::StatusOr<ReadSummary> EngineCore::Read(const ReadSpec& spec,
                                             const PartSink& sink) {
  if (absl::Status s = CheckReadSpec(spec); !s.ok()) return s;
  if (spec.at_least > state_.position()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "at_least: position ", spec.at_least.value,
        " is ahead of this server, which is at ", state_.position().value));
  }
  std::vector<RunView> views;
  size_t found = 0;
  for (const Uuid& run : spec.runs) {
    absl::StatusOr<RunView> view = ViewOf(run, spec.metrics, spec.workers);
    if (!view.ok()) return view.status();
    found += view->metrics.size();
    views.push_back(*std::move(view));
  }
  if (found == 0) {
    return absl::NotFoundError(absl::StrCat(
        "metrics: ", Quoted(spec.metrics[0]),
        spec.metrics.size() == 1 ? " is in none of the runs"
                                 : " and the others are in none of the runs"));
  }
  ReadSummary summary;
  summary.exact = spec.max_points == 0 && spec.reduction == Reduction::kNone;
  const PointFilter filter{.axis = spec.axis,
                           .step_range = spec.step_range,
                           .time_range = spec.time_range};
  for (const RunView& view : views) {
    const Snapshot snapshot = SnapshotFor(view);
    summary.position = std::max(summary.position, snapshot.position);
    SealedReader sealed(database_.get(), view.id, snapshot.generations);
    SeriesReader reader(view, snapshot, &sealed);
    for (const MetricView& metric : view.metrics) {
      absl::StatusOr<std::vector<Series>> series = reader.Read(metric, filter);
      if (!series.ok()) return series.status();
      for (const Series& s : *series) summary.points_read += s.values.size();
      if (absl::Status s = Answer(spec, view, metric, *series, sink); !s.ok()) {
        return s;
      }
    }
    // Only what was asked for: a lost range of other metrics is no news here.
    for (const LostRange& lost : view.lost) {
      const bool concerns = std::any_of(
          view.metrics.begin(), view.metrics.end(), [&](const MetricView& m) {
            return std::find(lost.metrics.begin(), lost.metrics.end(),
                             m.name) != lost.metrics.end();
          });
      if (concerns) summary.lost.push_back(lost);
    }
  }
  return summary;
}

absl::StatusOr<std::vector<Metric>> EngineCore::ListMetrics(const Uuid& run) {
  MutexLock lock(&mutex_);
  absl::StatusOr<const RunState*> state = catalog_.FindRun(run);
  if (!state.ok()) return state.status();
  std::vector<Metric> metrics;
  for (const auto& [id, places] : (*state)->places) {
    Metric metric;
    if (const auto it = (*state)->metadata.find(id);
        it != (*state)->metadata.end()) {
      metric = it->second;
    }
    metric.name = catalog_.MetricName(id);
    metrics.push_back(std::move(metric));
  }
  std::sort(metrics.begin(), metrics.end(),
            [](const Metric& a, const Metric& b) { return a.name < b.name; });
  return metrics;
}

absl::StatusOr<std::vector<WorkerInfo>> EngineCore::ListWorkers(
    const Uuid& run) {
  MutexLock lock(&mutex_);
  absl::StatusOr<const RunState*> state = catalog_.FindRun(run);
  if (!state.ok()) return state.status();
  const RunActivity activity = state_.activity((*state)->id);
  const auto rows = state_.worker_rows((*state)->id);
  std::vector<WorkerInfo> workers;
  for (uint32_t i = 0; i < (*state)->workers.size(); ++i) {
    const WorkerValue& value = (*state)->workers[i];
    const auto count = rows.find(WorkerId{i});
    const int64_t seen = i < activity.worker_last_seen_ns.size()
                             ? activity.worker_last_seen_ns[i]
                             : 0;
    workers.push_back({.worker = value.worker,
                       .attempt = value.attempt,
                       .world_size = value.world_size,
                       .first_seen_ns = value.first_seen_ns,
                       .last_seen_ns = std::max(seen, value.first_seen_ns),
                       .clock_offset_ns = value.clock_offset_ns,
                       .rows = count == rows.end() ? 0 : count->second});
  }
  std::sort(workers.begin(), workers.end(),
            [](const WorkerInfo& a, const WorkerInfo& b) {
              return a.worker < b.worker;
            });
  return workers;
}

absl::StatusOr<std::vector<LastValue>> EngineCore::LastValues(
    const LastValuesSpec& spec) {
  absl::StatusOr<RunView> view = ViewOf(spec.run, spec.metrics, spec.workers);
  if (!view.ok()) return view.status();
  if (!spec.metrics.empty() && view->metrics.empty()) {
    return absl::NotFoundError(absl::StrCat(
        "metrics: ", Quoted(spec.metrics[0]), " is not in the run"));
  }
  const Snapshot snapshot = SnapshotFor(*view);
  SealedReader sealed(database_.get(), view->id, snapshot.generations);
  return ReadLastValues(*view, snapshot, &sealed);
}

}  // namespace waterflow::storage
