// Metrics of runs as single numbers: the last value, the least, the greatest,
// the mean, each reduced over the workers. Searches keep them in their index;
// tables of runs ask for those of a page.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/engine_core.h"

namespace waterflow::storage {

absl::StatusOr<std::vector<EngineCore::Values>> EngineCore::ReadValues(
    const std::vector<Field>& fields, absl::Span<const WantedValues> wanted,
    const std::function<bool()>& cancelled) {
  const std::vector<std::vector<FieldReading>> readings =
      ReadingsOf(fields, wanted);
  std::vector<Values> all(wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    all[i].resize(wanted[i].fields.size());
    const bool any =
        std::any_of(readings[i].begin(), readings[i].end(),
                    [](const FieldReading& r) { return r.metric.has_value(); });
    if (!any) continue;
    if (cancelled != nullptr && cancelled()) {
      return absl::CancelledError("the client left");
    }
    const absl::Status read =
        ReadRunValues(fields, wanted[i], readings[i], cancelled, &all[i]);
    if (absl::IsNotFound(read)) continue;  // deleted just now
    if (!read.ok()) {
      return absl::Status(
          read.code(),
          absl::StrCat("run ", wanted[i].id.ToHex(), ": ", read.message()));
    }
  }
  return all;
}

std::vector<std::vector<EngineCore::FieldReading>> EngineCore::ReadingsOf(
    const std::vector<Field>& fields, absl::Span<const WantedValues> wanted) {
  std::vector<std::vector<FieldReading>> all(wanted.size());
  MutexLock lock(&mutex_);
  std::vector<std::optional<MetricId>> ids;
  std::vector<std::optional<MetricId>> best_of;
  for (const Field& field : fields) {
    ids.push_back(catalog_.FindMetric(field.key));
    best_of.push_back(field.statistic == Statistic::kAtBest
                          ? catalog_.FindMetric(field.best_of)
                          : std::nullopt);
  }
  for (size_t i = 0; i < wanted.size(); ++i) {
    all[i].resize(wanted[i].fields.size());
    const RunState* const state = catalog_.FindRun(wanted[i].run);
    if (state == nullptr) continue;
    const std::vector<const RunState*> states = LineageStates(*state);
    const auto has = [&](MetricId metric) {
      return std::any_of(states.begin(), states.end(), [&](const RunState* of) {
        return of->places.contains(metric);
      });
    };
    for (size_t f = 0; f < wanted[i].fields.size(); ++f) {
      const uint32_t number = wanted[i].fields[f];
      const Field& field = fields[number];
      if (!ids[number].has_value() || !has(*ids[number])) continue;
      FieldReading& reading = all[i][f];
      reading.statistic = field.statistic;
      reading.reduction = field.reduction;
      Goal goal = Goal::kUnspecified;
      for (const RunState* of : states) {
        // The nearest run that says how to reduce it, or what is good.
        const auto it = of->metadata.find(*ids[number]);
        if (it == of->metadata.end()) continue;
        if (reading.reduction == Reduction::kDefault &&
            it->second.reduction != Reduction::kNone) {
          reading.reduction = it->second.reduction;
        }
        if (goal == Goal::kUnspecified) goal = it->second.goal;
      }
      if (reading.reduction == Reduction::kDefault) {
        reading.reduction = Reduction::kMean;
      }
      if (field.statistic == Statistic::kBest) {
        if (goal == Goal::kUnspecified) continue;
        reading.statistic =
            goal == Goal::kMinimize ? Statistic::kMin : Statistic::kMax;
      }
      if (field.statistic == Statistic::kAtBest) {
        if (!best_of[number].has_value() || !has(*best_of[number])) continue;
        for (const RunState* of : states) {
          const auto it = of->metadata.find(*best_of[number]);
          if (it == of->metadata.end()) continue;
          if (reading.goal == Goal::kUnspecified)
            reading.goal = it->second.goal;
        }
        if (reading.goal == Goal::kUnspecified) continue;
      }
      reading.metric = ids[number];
    }
  }
  return all;
}

absl::Status EngineCore::ReadRunValues(
    const std::vector<Field>& fields, const WantedValues& wanted,
    const std::vector<FieldReading>& readings,
    const std::function<bool()>& cancelled, Values* values) {
  std::vector<MetricId> metrics;
  for (size_t f = 0; f < readings.size(); ++f) {
    const FieldReading& reading = readings[f];
    if (!reading.metric.has_value()) continue;
    if (reading.statistic == Statistic::kAtBest) {
      absl::StatusOr<std::optional<double>> value = ReadAtBest(
          wanted.id, fields[wanted.fields[f]], reading.goal, cancelled);
      if (!value.ok()) return value.status();
      (*values)[f] = *value;
    } else {
      metrics.push_back(*reading.metric);
    }
  }
  if (metrics.empty()) return absl::OkStatus();
  std::sort(metrics.begin(), metrics.end());
  metrics.erase(std::unique(metrics.begin(), metrics.end()), metrics.end());
  absl::StatusOr<RunStatistics> statistics =
      DeriveStatistics(wanted.id, metrics);
  if (!statistics.ok()) return statistics.status();
  for (size_t f = 0; f < readings.size(); ++f) {
    const FieldReading& reading = readings[f];
    if (!reading.metric.has_value() ||
        reading.statistic == Statistic::kAtBest) {
      continue;
    }
    const auto at =
        std::lower_bound(metrics.begin(), metrics.end(), *reading.metric);
    const auto& found = (*statistics)[at - metrics.begin()];
    if (found.has_value()) {
      (*values)[f] = found->Get(reading.statistic, reading.reduction);
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
      names.emplace_back(catalog_.MetricName(metric));
      places[names.back()] = places.size();
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
