// Values out: a view of the run from the catalog, a snapshot of what is stored,
// and the readers of storage/query.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/engine_core.h"
#include "storage/model/limits.h"
#include "storage/model/names.h"
#include "storage/query/answer.h"
#include "storage/query/lineage.h"
#include "storage/query/select.h"

namespace waterflow::storage {

namespace {

// All but the metrics.
RunView ViewOf(const RunState& state, int64_t start_ns,
               const std::optional<std::vector<Worker>>& workers) {
  RunView view;
  view.id = state.id;
  view.uuid = state.value.id;
  view.start_ns = start_ns;
  for (const WorkerValue& worker : state.workers) {
    view.workers.push_back(worker.worker);
  }
  if (workers.has_value()) {
    view.selected.emplace();
    for (const Worker& worker : *workers) {
      const auto it = state.worker_ids.find(worker);
      if (it != state.worker_ids.end()) view.selected->insert(it->second);
    }
  }
  view.schemas = state.schemas;
  view.hiding_steps = state.HidingSteps();
  for (const LostValue& lost : state.lost) {
    if (view.selected.has_value() && !view.selected->contains(lost.worker)) {
      continue;
    }
    view.lost.push_back({.run = view.uuid,
                         .worker = view.workers[lost.worker.value],
                         .metrics = state.schemas[lost.schema.value]->names,
                         .first_row = lost.first_row,
                         .end_row = lost.end_row});
  }
  return view;
}

// Only what was asked for: a lost range of other metrics is no news here.
void AddLost(const Lineage& lineage, std::vector<LostRange>* out) {
  for (const RunView& view : lineage.runs) {
    for (const LostRange& lost : view.lost) {
      const bool concerns = std::any_of(
          view.metrics.begin(), view.metrics.end(), [&](const MetricView& m) {
            return std::find(lost.metrics.begin(), lost.metrics.end(),
                             m.name) != lost.metrics.end();
          });
      if (concerns) out->push_back(lost);
    }
  }
}

// Notes where attempts of the run hide others, and shows those asked for.
void ChooseAttempts(const ReadSpec& spec, Lineage* lineage,
                    std::vector<AttemptBoundary>* boundaries) {
  RunView& run = lineage->runs.front();
  for (const auto& [attempt, step] : run.hiding_steps) {
    boundaries->push_back({.run = run.uuid, .attempt = attempt, .step = step});
  }
  if (!spec.all_attempts && !spec.attempt.has_value()) return;
  run.hiding_steps.clear();
  run.only_attempt = spec.attempt;
}

// Whether one of the runs has a worker that is read; all have been selected.
bool AnyWorker(const std::vector<Lineage>& lineages) {
  for (const Lineage& lineage : lineages) {
    for (const RunView& view : lineage.runs) {
      if (!view.selected->empty()) return true;
    }
  }
  return false;
}

// Of `view`, only what a fork of it reads.
void CutAt(const ForkValue& fork, std::optional<int64_t> steps_below,
           RunView* view) {
  view->steps_below = std::min(steps_below.value_or(fork.step), fork.step);
  view->last_attempt = fork.attempt;
  view->hiding_steps.erase(view->hiding_steps.upper_bound(fork.attempt),
                           view->hiding_steps.end());
}

}  // namespace

absl::StatusOr<Lineage> EngineCore::LineageOf(
    const Uuid& run, const std::vector<std::string>& metrics,
    const std::optional<std::vector<Worker>>& workers) {
  MutexLock lock(&mutex_);
  absl::StatusOr<const RunState*> found = catalog_.FindRun(run);
  if (!found.ok()) return found.status();
  const int64_t start_ns = catalog_.ToRun(**found).start_ns;
  Lineage lineage;
  const std::vector<const RunState*> states = LineageStates(**found);
  for (size_t i = 0; i < states.size(); ++i) {
    RunView view = ViewOf(*states[i], start_ns, workers);
    if (i > 0) {
      CutAt(*states[i - 1]->value.fork, lineage.runs.back().steps_below, &view);
    }
    lineage.runs.push_back(std::move(view));
  }
  if (workers.has_value()) {
    for (const Worker& worker : *workers) {
      const auto has = [&](const RunState* state) {
        return state->worker_ids.contains(worker);
      };
      if (std::none_of(states.begin(), states.end(), has)) {
        return absl::NotFoundError(
            absl::StrCat("run ", run.ToHex(), " has no worker of role ",
                         Quoted(worker.role), " and rank ", worker.rank));
      }
    }
  }
  for (const auto& [name, id] : MetricsOf(states, metrics)) {
    std::optional<Reduction> reduction;
    for (size_t i = 0; i < states.size(); ++i) {
      const RunState& state = *states[i];
      const auto places = state.places.find(id);
      const auto metadata = state.metadata.find(id);
      if (!reduction.has_value() && metadata != state.metadata.end() &&
          metadata->second.reduction != Reduction::kNone) {
        reduction = metadata->second.reduction;
      }
      MetricView& view = lineage.runs[i].metrics.emplace_back();
      view.name = name;
      if (places != state.places.end()) view.places = places->second;
    }
    // The nearest run that says how to reduce it.
    if (reduction.has_value()) {
      lineage.runs[0].metrics.back().reduction = *reduction;
    }
  }
  return lineage;
}

std::vector<const RunState*> EngineCore::LineageStates(
    const RunState& run) const {
  std::vector<const RunState*> states = {&run};
  while (states.back()->value.fork.has_value()) {
    states.push_back(catalog_.FindRun(states.back()->value.fork->parent));
  }
  return states;
}

std::vector<std::pair<std::string, MetricId>> EngineCore::MetricsOf(
    absl::Span<const RunState* const> states,
    const std::vector<std::string>& names) const {
  std::vector<std::pair<std::string, MetricId>> metrics;
  for (const std::string& name : names) {
    const std::optional<MetricId> id = catalog_.FindMetric(name);
    const auto has = [&](const RunState* state) {
      return id.has_value() && state->places.contains(*id);
    };
    if (std::any_of(states.begin(), states.end(), has)) {
      metrics.emplace_back(name, *id);
    }
  }
  if (!names.empty()) return metrics;
  absl::btree_set<MetricId> ids;
  for (const RunState* state : states) {
    for (const auto& [id, places] : state->places) ids.insert(id);
  }
  for (const MetricId id : ids)
    metrics.emplace_back(catalog_.MetricName(id), id);
  std::sort(metrics.begin(), metrics.end());
  return metrics;
}

absl::StatusOr<ReadSummary> EngineCore::ReadSelected(const ReadSpec& spec,
                                                     const PartSink& sink) {
  if (absl::Status s = CheckReadSpec(spec); !s.ok()) return s;
  if (spec.at_least > state_.position()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "at_least: position ", spec.at_least.value,
        " is ahead of this server, which is at ", state_.position().value));
  }
  ReadSummary summary;
  std::vector<Lineage> lineages;
  size_t found = 0;
  absl::Status passed_over;
  for (const Uuid& run : spec.runs) {
    absl::StatusOr<Lineage> lineage =
        LineageOf(run, spec.metrics, spec.workers);
    // Of runs that a filter found, those that lack what is asked for are passed
    // over.
    if (spec.run_filter.has_value() && absl::IsNotFound(lineage.status())) {
      passed_over = lineage.status();
      continue;
    }
    if (!lineage.ok()) return lineage.status();
    for (RunView& view : lineage->runs) KeepWorkers(spec.worker_filter, &view);
    found += lineage->metrics().size();
    ChooseAttempts(spec, &*lineage, &summary.attempts);
    lineages.push_back(*std::move(lineage));
  }
  if (lineages.empty()) return passed_over;
  if (!spec.worker_filter.empty() && !AnyWorker(lineages)) {
    return absl::NotFoundError(
        "workers, ranks, roles: the runs have no worker like that");
  }
  if (found == 0) {
    return absl::NotFoundError(absl::StrCat(
        "metrics: ", Quoted(spec.metrics[0]),
        spec.metrics.size() == 1 ? " is in none of the runs"
                                 : " and the others are in none of the runs"));
  }
  summary.exact = spec.max_points == 0 && spec.reduction == Reduction::kNone;
  ReadCounts counts;
  const QueryLimits limits{.memory_bytes = options_.query_memory_bytes,
                           .gate = &query_gate_};
  for (const Lineage& lineage : lineages) {
    LineageReader reader(lineage, database_.get(), &state_);
    summary.position = std::max(summary.position, reader.position());
    for (size_t i = 0; i < lineage.metrics().size(); ++i) {
      if (absl::Status s =
              Answer(spec, lineage, &reader, i, limits, sink, &counts);
          !s.ok()) {
        return s;
      }
    }
    AddLost(lineage, &summary.lost);
  }
  summary.points_read = counts.points_read;
  summary.points_summarised = counts.points_summarised;
  summary.chunks_decoded = counts.chunks_decoded;
  summary.chunks_summarised = counts.chunks_summarised;
  return summary;
}

absl::StatusOr<std::vector<Metric>> EngineCore::ListMetrics(const Uuid& run) {
  MutexLock lock(&mutex_);
  absl::StatusOr<const RunState*> state = catalog_.FindRun(run);
  if (!state.ok()) return state.status();
  const std::vector<const RunState*> states = LineageStates(**state);
  std::vector<Metric> metrics;
  for (const auto& [name, id] : MetricsOf(states, {})) {
    metrics.push_back(MetadataOf(states, id, name));
  }
  return metrics;
}

Metric EngineCore::MetadataOf(absl::Span<const RunState* const> states,
                              MetricId id, const std::string& name) {
  Metric metric;
  for (const RunState* of : states) {
    const auto it = of->metadata.find(id);
    if (it == of->metadata.end()) continue;
    metric = it->second;
    break;
  }
  metric.name = name;
  return metric;
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
  absl::StatusOr<Lineage> lineage =
      LineageOf(spec.run, spec.metrics, spec.workers);
  if (!lineage.ok()) return lineage.status();
  if (!spec.metrics.empty() && lineage->metrics().empty()) {
    return absl::NotFoundError(absl::StrCat(
        "metrics: ", Quoted(spec.metrics[0]), " is not in the run"));
  }
  return LineageReader(*lineage, database_.get(), &state_).ReadLastValues();
}

}  // namespace waterflow::storage
