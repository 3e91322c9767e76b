#include "storage/query/worker_ranking.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "storage/query/bucket_filler.h"
#include "storage/query/step_table.h"

namespace waterflow::storage {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr uint32_t kDefaultRankedWorkers = 10;

// Of numbers; reorders them. NaN when there is none.
double Median(std::vector<double>* values) {
  if (values->empty()) return kNan;
  const auto middle =
      values->begin() + static_cast<ptrdiff_t>(values->size() / 2);
  std::nth_element(values->begin(), middle, values->end());
  const double high = *middle;
  if (values->size() % 2 == 1) return high;
  const double low = *std::max_element(values->begin(), middle);
  return low + (high - low) / 2;
}

double ValueOf(const Bucket& b, WorkerStatistic by) {
  switch (by) {
    case WorkerStatistic::kMean:
      return b.mean;
    case WorkerStatistic::kMin:
      return b.min;
    case WorkerStatistic::kMax:
      return b.max;
    case WorkerStatistic::kFirst:
      return b.first;
    case WorkerStatistic::kLast:
      return b.last;
    case WorkerStatistic::kSum:
      return b.value;  // the table's reduction is the sum
    case WorkerStatistic::kStddev:
      return b.stddev;
    case WorkerStatistic::kCount:
      return static_cast<double>(b.count);
    case WorkerStatistic::kNonFinite:
      return static_cast<double>(b.nan_count + b.pos_inf_count +
                                 b.neg_inf_count);
    case WorkerStatistic::kDifference:
      break;  // is not a bucket's
  }
  return kNan;
}

absl::Status CheckHeld(uint64_t bytes, uint64_t memory_bytes) {
  if (bytes <= memory_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("the steps of all workers take ", bytes,
                   " bytes, and the server gives a query ", memory_bytes,
                   " (--query-memory): narrow step_range"));
}

absl::Status CheckCancelled(const std::function<bool()>& cancelled) {
  if (cancelled && cancelled()) return absl::CancelledError("the client left");
  return absl::OkStatus();
}

// The median over workers at each step.
absl::StatusOr<absl::flat_hash_map<int64_t, double>> StepMedians(
    const RankWorkersSpec& spec, const MetricPlan& plan, SeriesReader* series,
    uint64_t memory_bytes) {
  StepTable table(/*keep_values=*/true);
  Series points;
  uint32_t order = 0;
  for (const WorkerPlan& worker : plan.workers()) {
    absl::Status s = CheckCancelled(spec.cancelled);
    if (s.ok()) s = CheckHeld(table.value_bytes(), memory_bytes);
    if (s.ok()) s = series->Read(worker, /*whole=*/false, &points);
    if (!s.ok()) return s;
    const SeriesView view{order++, *points.positions, points.values};
    table.Add({view});
  }
  bool exact = true;
  const std::vector<double> medians = table.Quantiles({0.5}, &exact);
  const std::vector<Bucket> steps = table.Finish(Reduction::kMean);
  absl::flat_hash_map<int64_t, double> by_step;
  for (size_t i = 0; i < steps.size(); ++i) {
    by_step[steps[i].first_position] = medians[i];
  }
  return by_step;
}

// The greatest distance of a point from the median of its step.
double GreatestDifference(const Series& points,
                          const absl::flat_hash_map<int64_t, double>& medians) {
  double greatest = 0;
  for (size_t i = 0; i < points.values.size(); ++i) {
    const double median = medians.at((*points.positions)[i]);
    if (std::isnan(median)) continue;
    const double distance = std::fabs(points.values[i] - median);
    // What is no number is as different as can be.
    greatest = std::max(greatest, std::isnan(distance) ? kInf : distance);
  }
  return greatest;
}

// Those that come first of `values` in the order asked for; no numbers last,
// equal ones in the order of workers.
std::vector<size_t> Ranked(absl::Span<const double> values, bool lowest_first) {
  std::vector<size_t> order(values.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    if (std::isnan(values[a]) || std::isnan(values[b])) {
      return !std::isnan(values[a]) && std::isnan(values[b]);
    }
    return lowest_first ? values[a] < values[b] : values[a] > values[b];
  });
  return order;
}

// A worker's points at distinct steps as the time since the step before, in
// seconds; the first one has none.
Series TimesBetween(const Series& points) {
  Series between;
  auto steps = std::make_shared<std::vector<int64_t>>();
  for (size_t i = 0; i < points.values.size(); ++i) {
    const bool last =
        i + 1 == points.values.size() || points.steps[i + 1] != points.steps[i];
    if (!last) continue;
    steps->push_back(points.steps[i]);
    between.times_ns.push_back(points.times_ns[i]);
  }
  for (size_t i = 1; i < steps->size(); ++i) {
    between.values.push_back(
        (static_cast<double>(between.times_ns[i]) -
         static_cast<double>(between.times_ns[i - 1])) /
        (1e9 * static_cast<double>((*steps)[i] - (*steps)[i - 1])));
  }
  if (!steps->empty()) steps->erase(steps->begin());
  between.positions = std::move(steps);
  between.times_ns.clear();
  return between;
}

// Whether a schema begins with the metric. Of all metrics these are enough to
// see each row.
bool LeadsASchema(const Lineage& lineage, size_t metric) {
  return std::any_of(
      lineage.runs.begin(), lineage.runs.end(), [metric](const RunView& run) {
        const std::vector<MetricPlace>& places = run.metrics[metric].places;
        return std::any_of(
            places.begin(), places.end(),
            [](const MetricPlace& place) { return place.column == 0; });
      });
}

uint32_t LimitOf(uint32_t limit) {
  return limit == 0 ? kDefaultRankedWorkers : limit;
}

}  // namespace

Deviations DeviationsOf(absl::Span<const double> values) {
  std::vector<double> numbers;
  for (const double v : values) {
    if (!std::isnan(v)) numbers.push_back(v);
  }
  Deviations deviations;
  deviations.median = Median(&numbers);
  for (double& v : numbers) {
    // Infinities are no distance apart.
    v = v == deviations.median ? 0 : std::fabs(v - deviations.median);
  }
  deviations.mad = Median(&numbers);
  for (const double v : values) {
    const double distance = v == deviations.median ? 0 : v - deviations.median;
    const double scale = 1.4826 * deviations.mad;
    deviations.of.push_back(distance == 0 || std::isnan(distance) ? distance
                            : scale == 0 ? std::copysign(kInf, distance)
                                         : distance / scale);
  }
  return deviations;
}

absl::StatusOr<WorkerRanking> RankWorkers(const RankWorkersSpec& spec,
                                          LineageReader* reader,
                                          uint64_t memory_bytes) {
  const PointFilter filter{.axis = Axis::kStep,
                           .step_range = spec.step_range,
                           .time_range = spec.time_range};
  absl::StatusOr<MetricPlan> plan = reader->Plan(0, filter);
  if (!plan.ok()) return plan.status();
  WorkerRanking ranking;
  if (plan->workers().empty()) return ranking;
  ReadCounts counts;
  SeriesReader series(filter, &counts);
  BucketFiller filler(filter, &series, &counts);
  absl::flat_hash_map<int64_t, double> medians;
  const bool by_difference = spec.by == WorkerStatistic::kDifference;
  if (by_difference) {
    auto made = StepMedians(spec, *plan, &series, memory_bytes);
    if (!made.ok()) return made.status();
    medians = *std::move(made);
  }
  std::vector<RankedWorker> all;
  std::vector<double> values;
  BucketTable table(plan->span(), 1);
  Series points;
  for (const WorkerPlan* worker : reader->ByRank(*plan)) {
    absl::Status s = CheckCancelled(spec.cancelled);
    table.Clear();
    if (s.ok()) s = filler.Fill(*worker, 0, &table);
    if (s.ok() && by_difference) s = series.Read(*worker, false, &points);
    if (!s.ok()) return s;
    if (table.size() == 0) continue;
    RankedWorker ranked;
    ranked.worker = reader->workers()[worker->worker.value];
    ranked.points = table.Finish(Reduction::kSum).front();
    ranked.value = by_difference ? GreatestDifference(points, medians)
                                 : ValueOf(ranked.points, spec.by);
    values.push_back(ranked.value);
    all.push_back(std::move(ranked));
  }
  const Deviations deviations = DeviationsOf(values);
  ranking.worker_count = all.size();
  ranking.median = deviations.median;
  ranking.mad = deviations.mad;
  for (const size_t i : Ranked(values, spec.lowest_first)) {
    if (ranking.workers.size() == LimitOf(spec.limit)) break;
    all[i].deviation = deviations.of[i];
    // A worker without a number is off, too.
    if (std::fabs(all[i].deviation) < spec.min_deviation) continue;
    ranking.workers.push_back(std::move(all[i]));
  }
  return ranking;
}

absl::StatusOr<Stragglers> FindStragglers(const StragglersSpec& spec,
                                          LineageReader* reader, size_t metric,
                                          bool by_time, uint64_t memory_bytes) {
  const PointFilter filter{.axis = Axis::kStep,
                           .step_range = spec.step_range,
                           .time_range = std::nullopt};
  absl::StatusOr<MetricPlan> plan = reader->Plan(metric, filter);
  if (!plan.ok()) return plan.status();
  ReadCounts counts;
  SeriesReader series(filter, &counts);
  StepTable table;
  std::vector<Straggler> all;
  std::vector<double> means;
  Series points;
  for (const WorkerPlan* worker : reader->ByRank(*plan)) {
    absl::Status s = CheckCancelled(spec.cancelled);
    if (s.ok()) {
      s = CheckHeld(
          worker->rows * 34 + table.size() * sizeof(BucketAccumulator),
          memory_bytes);
    }
    if (s.ok()) s = series.Read(*worker, /*whole=*/by_time, &points);
    if (!s.ok()) return s;
    if (by_time) points = TimesBetween(points);
    if (points.values.empty()) continue;
    const SeriesView view{static_cast<uint32_t>(all.size()), *points.positions,
                          points.values};
    table.Add({view});
    BucketTable mean({points.positions->front(), points.positions->back()}, 1);
    mean.Add(view);
    Straggler straggler;
    straggler.worker = reader->workers()[worker->worker.value];
    const Bucket whole = mean.Finish(Reduction::kMean).front();
    straggler.mean = whole.mean;
    straggler.max = whole.max;
    means.push_back(straggler.mean);
    all.push_back(std::move(straggler));
  }
  Stragglers found;
  found.worker_count = all.size();
  for (const Bucket& step : table.Finish(Reduction::kMax)) {
    ++found.step_count;
    if (step.count > 0) ++all[step.max_worker].slowest_steps;
  }
  const Deviations deviations = DeviationsOf(means);
  found.median = deviations.median;
  for (const size_t i : Ranked(means, /*lowest_first=*/false)) {
    if (found.workers.size() == LimitOf(spec.limit)) break;
    all[i].deviation = deviations.of[i];
    found.workers.push_back(std::move(all[i]));
  }
  return found;
}

absl::StatusOr<size_t> LongestMetric(const Lineage& lineage,
                                     LineageReader* reader,
                                     const PointFilter& filter) {
  size_t longest = 0;
  uint64_t most = 0;
  for (size_t m = 0; m < lineage.metrics().size(); ++m) {
    if (!LeadsASchema(lineage, m)) continue;
    absl::StatusOr<MetricPlan> plan = reader->Plan(m, filter);
    if (!plan.ok()) return plan.status();
    uint64_t rows = 0;
    for (const WorkerPlan& worker : plan->workers()) rows += worker.rows;
    if (rows > most) {
      most = rows;
      longest = m;
    }
  }
  return longest;
}

absl::StatusOr<absl::flat_hash_map<Worker, int64_t>> LastSteps(
    const Lineage& lineage, LineageReader* reader) {
  absl::flat_hash_map<Worker, int64_t> steps;
  const PointFilter all;
  for (size_t m = 0; m < lineage.metrics().size(); ++m) {
    if (!LeadsASchema(lineage, m)) continue;
    absl::StatusOr<MetricPlan> plan = reader->Plan(m, all);
    if (!plan.ok()) return plan.status();
    for (const WorkerPlan& worker : plan->workers()) {
      for (const PlannedStrip& strip : worker.strips) {
        const auto [it, is_new] = steps.try_emplace(
            reader->workers()[worker.worker.value], strip.span.last);
        it->second = std::max(it->second, strip.span.last);
      }
    }
  }
  return steps;
}

}  // namespace waterflow::storage
