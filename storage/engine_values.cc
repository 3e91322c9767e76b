// Metrics of runs as single numbers: the last value, the least, the greatest,
// the mean, each reduced over the workers. Searches keep them in their index;
// tables of runs ask for those of a page.
//
// What was derived is kept in the `latest` family, so that a start finds it:
// storage/format/latest.h says when it counts. Only that of runs whose rows are
// all sealed; those of others change anyway, and are derived each time.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/engine_core.h"

namespace waterflow::storage {

absl::StatusOr<std::vector<EngineCore::Values>> EngineCore::ReadValues(
    const std::vector<Field>& fields, absl::Span<const WantedValues> wanted,
    const std::function<bool()>& cancelled) {
  const Readings readings = ReadingsOf(fields, wanted);
  std::vector<Values> all(wanted.size());
  std::vector<uint32_t> order;  // that of the keys of what is kept
  for (uint32_t i = 0; i < wanted.size(); ++i) {
    all[i].resize(wanted[i].fields.size());
    if (readings.runs[i].any) order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return wanted[a].run < wanted[b].run;
  });
  KeptLatest kept(database_.get());
  std::vector<DerivedRun> derived;
  for (const uint32_t i : order) {
    if (cancelled != nullptr && cancelled()) {
      return absl::CancelledError("the client left");
    }
    absl::Status read = ReadStatistics(readings, wanted[i], readings.runs[i],
                                       &kept, &derived, &all[i]);
    if (read.ok()) {
      read = ReadAllAtBest(fields, wanted[i], readings.runs[i], cancelled,
                           &all[i]);
    }
    if (absl::IsNotFound(read)) continue;  // deleted just now
    if (!read.ok()) {
      return absl::Status(
          read.code(),
          absl::StrCat("run ", wanted[i].id.ToHex(), ": ", read.message()));
    }
  }
  Keep(std::move(derived));
  return all;
}

EngineCore::Readings EngineCore::ReadingsOf(
    const std::vector<Field>& fields, absl::Span<const WantedValues> wanted) {
  Readings readings;
  readings.runs.resize(wanted.size());
  MutexLock lock(&mutex_);
  std::vector<std::optional<MetricId>> ids;
  std::vector<std::optional<MetricId>> best_of;
  for (const Field& field : fields) {
    ids.push_back(catalog_.FindMetric(field.key));
    best_of.push_back(field.statistic == Statistic::kAtBest
                          ? catalog_.FindMetric(field.best_of)
                          : std::nullopt);
    if (ids.back().has_value()) readings.metrics.push_back(*ids.back());
  }
  std::vector<MetricId>& metrics = readings.metrics;
  std::sort(metrics.begin(), metrics.end());
  metrics.erase(std::unique(metrics.begin(), metrics.end()), metrics.end());
  std::vector<uint32_t> places;  // in `metrics`, by field
  for (const std::optional<MetricId>& id : ids) {
    places.push_back(
        id.has_value() ? std::lower_bound(metrics.begin(), metrics.end(), *id) -
                             metrics.begin()
                       : 0);
  }
  for (size_t i = 0; i < wanted.size(); ++i) {
    RunReading& run = readings.runs[i];
    run.fields.resize(wanted[i].fields.size());
    const RunState* const state = catalog_.FindRun(wanted[i].run);
    if (state == nullptr) continue;
    const std::vector<const RunState*> states = LineageStates(*state);
    for (size_t f = 0; f < run.fields.size(); ++f) {
      const uint32_t number = wanted[i].fields[f];
      if (!ids[number].has_value()) continue;
      FieldReading& reading = run.fields[f];
      reading =
          ReadingOf(fields[number], states, *ids[number], best_of[number]);
      reading.metric = places[number];
      run.any = run.any || reading.exists;
    }
    if (run.any) run.source = SourceOf(states);
  }
  return readings;
}

EngineCore::FieldReading EngineCore::ReadingOf(
    const Field& field, absl::Span<const RunState* const> states,
    MetricId metric, std::optional<MetricId> best_of) {
  const auto has = [&](MetricId id) {
    return std::any_of(states.begin(), states.end(), [&](const RunState* of) {
      return of->places.contains(id);
    });
  };
  FieldReading reading{.statistic = field.statistic,
                       .reduction = field.reduction};
  if (!has(metric)) return reading;
  // The nearest run that says it.
  const auto goal_of = [&](MetricId id) {
    for (const RunState* of : states) {
      const auto it = of->metadata.find(id);
      if (it != of->metadata.end() && it->second.goal != Goal::kUnspecified) {
        return it->second.goal;
      }
    }
    return Goal::kUnspecified;
  };
  for (const RunState* of : states) {
    if (reading.reduction != Reduction::kDefault) break;
    const auto it = of->metadata.find(metric);
    if (it != of->metadata.end() && it->second.reduction != Reduction::kNone) {
      reading.reduction = it->second.reduction;
    }
  }
  if (reading.reduction == Reduction::kDefault) {
    reading.reduction = Reduction::kMean;
  }
  if (field.statistic == Statistic::kBest) {
    const Goal goal = goal_of(metric);
    if (goal == Goal::kUnspecified) return reading;
    reading.statistic =
        goal == Goal::kMinimize ? Statistic::kMin : Statistic::kMax;
  }
  if (field.statistic == Statistic::kAtBest) {
    if (!best_of.has_value() || !has(*best_of)) return reading;
    reading.goal = goal_of(*best_of);
    if (reading.goal == Goal::kUnspecified) return reading;
  }
  reading.exists = true;
  return reading;
}

std::string EngineCore::SourceOf(absl::Span<const RunState* const> states) {
  std::string source;
  std::optional<LatestPart::Cut> cut;
  for (size_t i = 0; i < states.size(); ++i) {
    if (i > 0) {
      const ForkValue& fork = *states[i - 1]->value.fork;
      cut = {.last_attempt = fork.attempt,
             .steps_below = cut.has_value()
                                ? std::min(cut->steps_below, fork.step)
                                : fork.step};
    }
    const LiveState::RunRows rows = state_.CountRows(states[i]->id);
    if (rows.unsealed) return "";
    LatestPart part{.run = states[i]->id,
                    .rows = rows.rows,
                    .cut = cut,
                    .hiding_steps = {}};
    // Both, though only one hides: each by itself only falls, so that no source
    // ever comes back.
    for (const auto& [attempt, value] : states[i]->attempts) {
      for (const auto& step : {value.resume_step, value.first_step}) {
        if (step.has_value()) part.hiding_steps.emplace_back(attempt, *step);
      }
    }
    AppendLatestPart(part, &source);
  }
  return source;
}

absl::Status EngineCore::ReadStatistics(const Readings& readings,
                                        const WantedValues& wanted,
                                        const RunReading& reading,
                                        KeptLatest* kept,
                                        std::vector<DerivedRun>* derived,
                                        Values* values) {
  enum class State : uint8_t { kNotAsked, kUnknown, kKnown };
  const std::vector<MetricId>& metrics = readings.metrics;
  std::vector<State> states(metrics.size(), State::kNotAsked);
  std::vector<std::optional<MetricStatistics>> statistics(metrics.size());
  size_t unknown = 0;
  for (const FieldReading& field : reading.fields) {
    if (!field.exists || field.statistic == Statistic::kAtBest) continue;
    unknown += states[field.metric] == State::kNotAsked ? 1 : 0;
    states[field.metric] = State::kUnknown;
  }
  if (unknown == 0) return absl::OkStatus();
  const absl::string_view value = reading.source.empty()
                                      ? absl::string_view()
                                      : kept->Find(wanted.run, reading.source);
  LatestEntry entry;
  LatestReader reader;
  if (!value.empty() && reader.Open(value, reading.source)) {
    size_t at = 0;
    while (unknown > 0 && reader.Next(&entry)) {
      while (at < metrics.size() && metrics[at] < entry.metric) ++at;
      if (at == metrics.size()) break;
      if (metrics[at] != entry.metric || states[at] != State::kUnknown) {
        continue;
      }
      states[at] = State::kKnown;
      statistics[at] = entry.statistics;
      --unknown;
    }
  }
  if (unknown > 0) {
    std::vector<MetricId> missing;
    for (size_t m = 0; m < metrics.size(); ++m) {
      if (states[m] == State::kUnknown) missing.push_back(metrics[m]);
    }
    absl::StatusOr<RunStatistics> found = DeriveStatistics(wanted.id, missing);
    if (!found.ok()) return found.status();
    DerivedRun& run = derived->emplace_back(
        DerivedRun{.run = wanted.run, .source = reading.source, .entries = {}});
    if (!value.empty() && reader.Open(value, reading.source)) {
      while (reader.Next(&entry)) run.entries.push_back(entry);
    }
    size_t next = 0;
    for (size_t m = 0; m < metrics.size(); ++m) {
      if (states[m] != State::kUnknown) continue;
      statistics[m] = (*found)[next++];
      run.entries.push_back(
          {.metric = metrics[m], .statistics = statistics[m]});
    }
    std::sort(run.entries.begin(), run.entries.end(),
              [](const LatestEntry& a, const LatestEntry& b) {
                return a.metric < b.metric;
              });
    if (run.source.empty()) derived->pop_back();
  }
  for (size_t f = 0; f < reading.fields.size(); ++f) {
    const FieldReading& field = reading.fields[f];
    if (!field.exists || field.statistic == Statistic::kAtBest) continue;
    const std::optional<MetricStatistics>& of = statistics[field.metric];
    if (of.has_value()) {
      (*values)[f] = of->Get(field.statistic, field.reduction);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<EngineCore::RunStatistics> EngineCore::DeriveStatistics(
    const Uuid& run, const std::vector<MetricId>& metrics) {
  std::vector<std::string> names;
  absl::flat_hash_map<std::string, size_t> places;
  {
    MutexLock lock(&mutex_);
    for (const MetricId metric : metrics) {
      places[catalog_.MetricName(metric)] = names.size();
      names.push_back(catalog_.MetricName(metric));
    }
  }
  RunStatistics statistics(metrics.size());
  absl::StatusOr<Lineage> lineage = LineageOf(run, names, std::nullopt);
  if (!lineage.ok()) return lineage.status();
  if (lineage->metrics().empty()) return statistics;
  absl::StatusOr<std::vector<LastValue>> values =
      LineageReader(*lineage, database_.get(), &state_).ReadLastValues();
  if (!values.ok()) return values.status();
  // Ordered by metric.
  for (size_t begin = 0; begin < values->size();) {
    size_t end = begin;
    while (end < values->size() &&
           (*values)[end].metric == (*values)[begin].metric) {
      ++end;
    }
    statistics[places[(*values)[begin].metric]] =
        StatisticsOf(absl::MakeSpan(*values).subspan(begin, end - begin));
    begin = end;
  }
  return statistics;
}

void EngineCore::Keep(std::vector<DerivedRun> derived) {
  if (derived.empty()) return;
  const std::optional<uint64_t> free_bytes = database_->FreeBytes();
  if (free_bytes.has_value() && *free_bytes < disk_reserve_.reserve_bytes()) {
    return;
  }
  // Rows and what hides them only grow: a run that is made of the same as
  // before it was read was so all the while.
  {
    MutexLock lock(&mutex_);
    std::erase_if(derived,
                  [&](const DerivedRun& run)
                      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
                        const RunState* const state = catalog_.FindRun(run.run);
                        return state == nullptr ||
                               SourceOf(LineageStates(*state)) != run.source;
                      });
  }
  // Failing costs the next one that asks, and nothing else.
  KeepLatest(database_.get(), derived).IgnoreError();
  // A seal takes what is kept of deleted runs away; if it came before this, it
  // is done here.
  std::vector<RunId> deleted;
  {
    MutexLock lock(&mutex_);
    for (const DerivedRun& run : derived) {
      if (catalog_.FindRun(run.run) == nullptr) deleted.push_back(run.run);
    }
  }
  DropLatest(database_.get(), deleted).IgnoreError();
}

absl::Status EngineCore::ReadAllAtBest(const std::vector<Field>& fields,
                                       const WantedValues& wanted,
                                       const RunReading& reading,
                                       const std::function<bool()>& cancelled,
                                       Values* values) {
  for (size_t f = 0; f < reading.fields.size(); ++f) {
    const FieldReading& field = reading.fields[f];
    if (!field.exists || field.statistic != Statistic::kAtBest) continue;
    absl::StatusOr<std::optional<double>> value =
        ReadAtBest(wanted.id, fields[wanted.fields[f]], field.goal, cancelled);
    if (!value.ok()) return value.status();
    (*values)[f] = *value;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<double>> EngineCore::ReadAtBest(
    const Uuid& run, const Field& field, Goal goal,
    const std::function<bool()>& cancelled) {
  ReadSpec spec;
  spec.runs = {run};
  spec.metrics = {field.best_of};
  spec.reduction = Reduction::kDefault;
  spec.cancelled = cancelled;
  std::optional<Bucket> best;
  const PartSink find_best = [&](const SeriesPart& part) {
    for (const Bucket& step : part.buckets) {
      if (step.count == 0) continue;
      const bool better = !best.has_value() ||
                          (goal == Goal::kMinimize ? step.value < best->value
                                                   : step.value > best->value);
      if (better) best = step;
    }
    return absl::OkStatus();
  };
  absl::Status read = ReadSelected(spec, find_best).status();
  if (!read.ok()) return read;
  std::optional<double> value;
  if (!best.has_value()) return value;
  spec.metrics = {field.key};
  spec.reduction = field.reduction;
  spec.step_range = Interval{best->first_position, best->first_position};
  read = ReadSelected(spec, [&](const SeriesPart& part) {
           for (const Bucket& step : part.buckets) value = step.value;
           return absl::OkStatus();
         }).status();
  if (!read.ok()) return read;
  return value;
}

}  // namespace waterflow::storage
