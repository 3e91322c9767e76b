#include "storage/query/answer.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/model/limits.h"
#include "storage/model/names.h"
#include "storage/query/bucket.h"
#include "storage/query/bucket_filler.h"
#include "storage/query/check.h"
#include "storage/query/step_table.h"

namespace waterflow::storage {
namespace {

// What is held while an answer is made: a raw point with all its columns, one
// with its position, a bucket and its sums.
constexpr uint64_t kWholePointBytes = 34;
constexpr uint64_t kPointBytes = 16;
constexpr uint64_t kBucketBytes = sizeof(BucketAccumulator) + sizeof(Bucket);

absl::Status AnswerRaw(const SeriesPart& head, const Series& s,
                       const PartSink& sink) {
  for (size_t begin = 0; begin < s.values.size(); begin += kPartPoints) {
    const size_t end = std::min(s.values.size(), begin + kPartPoints);
    SeriesPart part = head;
    const auto slice = [&](const auto& from, auto* to) {
      to->assign(from.begin() + begin, from.begin() + end);
    };
    slice(s.steps, &part.points.steps);
    slice(s.times_ns, &part.points.times_ns);
    slice(s.values, &part.points.values);
    const auto all = [&](const std::vector<uint8_t>& flags, uint8_t is) {
      return std::all_of(flags.begin() + begin, flags.begin() + end,
                         [is](uint8_t f) { return f == is; });
    };
    if (!all(s.has_step, 1)) slice(s.has_step, &part.points.has_step);
    if (!all(s.time_stamped, 0)) {
      slice(s.time_stamped, &part.points.time_stamped);
    }
    if (absl::Status status = sink(std::move(part)); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

// No part at all when there is nothing in it.
// `quantiles` has as many for each bucket.
absl::Status AnswerBuckets(const SeriesPart& head, std::vector<Bucket> buckets,
                           const std::vector<double>& quantiles,
                           const PartSink& sink) {
  const size_t per_bucket =
      buckets.empty() ? 0 : quantiles.size() / buckets.size();
  for (size_t begin = 0; begin < buckets.size(); begin += kPartPoints) {
    const size_t end = std::min(buckets.size(), begin + kPartPoints);
    SeriesPart part = head;
    if (begin == 0 && end == buckets.size()) {
      part.buckets = std::move(buckets);
      part.quantiles = quantiles;
      return sink(std::move(part));
    }
    part.buckets.assign(buckets.begin() + begin, buckets.begin() + end);
    part.quantiles.assign(quantiles.begin() + begin * per_bucket,
                          quantiles.begin() + end * per_bucket);
    if (absl::Status status = sink(std::move(part)); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

// Workers whose points are measured side by side; enough to make that worth
// while, few enough to stay in the processor's cache.
constexpr size_t kGroupPoints = 64 << 10;

// Answers for one metric.
class MetricAnswer {
 public:
  // `filter` is that of the plan. All must outlive it.
  MetricAnswer(const ReadSpec& spec, const PointFilter& filter,
               const Lineage& lineage, const LineageReader& reader,
               size_t metric, uint64_t memory_bytes, const PartSink& sink,
               ReadCounts* counts)
      : spec_(spec),
        reader_(reader),
        workers_(reader.workers()),
        ranks_(reader.ranks()),
        memory_bytes_(memory_bytes),
        sink_(sink),
        series_(filter, counts),
        filler_(filter, &series_, counts) {
    const MetricView& view = lineage.metrics()[metric];
    head_.run = lineage.run().uuid;
    head_.metric = view.name;
    if (spec.reduction == Reduction::kNone) return;
    head_.reduction =
        spec.reduction == Reduction::kDefault ? view.reduction : spec.reduction;
  }

  absl::Status Send(const MetricPlan& plan) {
    if (plan.workers().empty()) return absl::OkStatus();
    if (spec_.reduction == Reduction::kNone) {
      return spec_.max_points == 0 ? SendRaw(plan) : SendBuckets(plan);
    }
    return spec_.max_points == 0 ? SendReducedSteps(plan)
                                 : SendReducedBuckets(plan);
  }

 private:
  absl::Status SendRaw(const MetricPlan& plan) {
    Series series;
    for (const WorkerPlan* worker : reader_.ByRank(plan)) {
      absl::Status s = Admit(worker->rows * kWholePointBytes, "points");
      if (s.ok()) s = series_.Read(*worker, /*whole=*/true, &series);
      if (!s.ok()) return s;
      head_.worker = workers_[worker->worker.value];
      s = AnswerRaw(head_, series, sink_);
      if (!s.ok()) return s;
    }
    return absl::OkStatus();
  }

  absl::Status SendBuckets(const MetricPlan& plan) {
    BucketTable table(spec_.bucket_span.value_or(plan.span()),
                      spec_.max_points);
    for (const WorkerPlan* worker : reader_.ByRank(plan)) {
      table.Clear();
      absl::Status s = Fill(*worker, /*order=*/0, &table);
      if (!s.ok()) return s;
      head_.worker = workers_[worker->worker.value];
      s = AnswerBuckets(head_, table.Finish(Reduction::kMean), {}, sink_);
      if (!s.ok()) return s;
    }
    return absl::OkStatus();
  }

  absl::Status SendReducedBuckets(const MetricPlan& plan) {
    BucketTable table(spec_.bucket_span.value_or(plan.span()), spec_.max_points,
                      keep_values());
    std::vector<bool> heard(workers_.size());
    for (const WorkerPlan& worker : plan.workers()) {
      const uint32_t rank = ranks_[worker.worker.value];
      const uint64_t before = table.additions();
      absl::Status s = Fill(worker, rank, &table);
      if (!s.ok()) return s;
      heard[rank] = table.additions() > before;
    }
    return SendReduced(heard, table);
  }

  absl::Status SendReducedSteps(const MetricPlan& plan) {
    StepTable table(keep_values());
    std::vector<bool> heard(workers_.size());
    // Their memory is used again for each group.
    std::vector<Series> group;
    std::vector<uint32_t> group_ranks;
    size_t points = 0;
    const auto flush = [&] {
      std::vector<SeriesView> views;
      for (size_t i = 0; i < group_ranks.size(); ++i) {
        if (group[i].values.empty()) continue;
        heard[group_ranks[i]] = true;
        views.push_back({group_ranks[i], *group[i].positions, group[i].values});
      }
      std::sort(views.begin(), views.end(),
                [](const SeriesView& a, const SeriesView& b) {
                  return a.worker < b.worker;
                });
      table.Add(views);
      group_ranks.clear();
      points = 0;
    };
    for (const WorkerPlan& worker : plan.workers()) {
      absl::Status s =
          Admit(worker.rows * kPointBytes + HeldBy(table), "steps");
      if (!s.ok()) return s;
      if (group.size() == group_ranks.size()) group.emplace_back();
      s = series_.Read(worker, /*whole=*/false, &group[group_ranks.size()]);
      if (!s.ok()) return s;
      points += group[group_ranks.size()].values.size();
      group_ranks.push_back(ranks_[worker.worker.value]);
      if (points >= kGroupPoints) flush();
    }
    flush();
    return SendReduced(heard, table);
  }

  // The buckets of a table, which name workers by rank; those heard have
  // points.
  template <typename Table>
  absl::Status SendReduced(const std::vector<bool>& heard, const Table& table) {
    std::vector<Bucket> buckets = table.Finish(head_.reduction);
    std::vector<uint32_t> places(heard.size());
    std::vector<const Worker*> by_rank(heard.size());
    for (size_t id = 0; id < workers_.size(); ++id) {
      by_rank[ranks_[id]] = &workers_[id];
    }
    for (size_t rank = 0; rank < heard.size(); ++rank) {
      places[rank] = static_cast<uint32_t>(head_.workers.size());
      if (heard[rank]) head_.workers.push_back(*by_rank[rank]);
    }
    for (Bucket& bucket : buckets) {
      bucket.min_worker = places[bucket.min_worker];
      bucket.max_worker = places[bucket.max_worker];
    }
    std::vector<double> quantiles;
    if (keep_values()) {
      quantiles = table.Quantiles(spec_.quantiles, &head_.quantiles_exact);
    }
    return AnswerBuckets(head_, std::move(buckets), quantiles, sink_);
  }

  absl::Status Fill(const WorkerPlan& worker, uint32_t order,
                    BucketTable* table) {
    absl::Status s =
        Admit((worker.ordered ? 0 : worker.rows * kPointBytes) + HeldBy(*table),
              "buckets");
    return s.ok() ? filler_.Fill(worker, order, table) : s;
  }

  template <typename Table>
  uint64_t HeldBy(const Table& table) const {
    return table.size() * kBucketBytes +
           (keep_values() ? table.value_bytes() : 0);
  }
  bool keep_values() const { return !spec_.quantiles.empty(); }

  // Before each worker.
  absl::Status Admit(uint64_t bytes, absl::string_view what) const {
    if (spec_.cancelled && spec_.cancelled()) {
      return absl::CancelledError("the client left");
    }
    if (bytes <= memory_bytes_) return absl::OkStatus();
    return absl::ResourceExhaustedError(absl::StrCat(
        "the ", what, " of ", Quoted(head_.metric), " take ", bytes,
        " bytes at a time, and the server gives a query ", memory_bytes_,
        " (--query-memory): narrow step_range or time_range, or ask for fewer "
        "buckets (max_points)"));
  }

  const ReadSpec& spec_;
  const LineageReader& reader_;
  const std::vector<Worker>& workers_;
  const std::vector<uint32_t>& ranks_;
  const uint64_t memory_bytes_;
  const PartSink& sink_;
  SeriesReader series_;
  BucketFiller filler_;
  SeriesPart head_;
};

// What both hold.
Interval Both(const std::optional<Interval>& a, const Interval& b) {
  if (!a.has_value()) return b;
  return {std::max(a->first, b.first), std::min(a->last, b.last)};
}

// `position` nanoseconds after the start, as far as there are such times.
int64_t TimeOf(int64_t position, int64_t start_ns) {
  int64_t time = 0;
  if (!__builtin_add_overflow(position, start_ns, &time)) return time;
  return position > 0 ? std::numeric_limits<int64_t>::max()
                      : std::numeric_limits<int64_t>::min();
}

// Only points in the span.
void Narrow(const Interval& span, int64_t start_ns, PointFilter* filter) {
  switch (filter->axis) {
    case Axis::kStep:
      filter->step_range = Both(filter->step_range, span);
      break;
    case Axis::kTime:
      filter->time_range = Both(filter->time_range, span);
      break;
    case Axis::kRelativeTime:
      filter->time_range =
          Both(filter->time_range,
               {TimeOf(span.first, start_ns), TimeOf(span.last, start_ns)});
      break;
  }
}

}  // namespace

absl::Status CheckReadSpec(const ReadSpec& spec) {
  for (const absl::Status& s :
       {CheckCount("run_ids", spec.runs.size(), 1, kMaxReadRuns),
        CheckCount("metrics", spec.metrics.size(), 1, kMaxReadMetrics),
        CheckRange("step_range", spec.step_range),
        CheckRange("time_range", spec.time_range)}) {
    if (!s.ok()) return s;
  }
  if (spec.max_points > kMaxReadPoints) {
    return absl::InvalidArgumentError(absl::StrCat(
        "max_points ", spec.max_points, ": at most ", kMaxReadPoints));
  }
  if (spec.quantiles.size() > kMaxReadQuantiles) {
    return absl::InvalidArgumentError(
        absl::StrCat("quantiles: ", spec.quantiles.size(), " given, at most ",
                     kMaxReadQuantiles, " are allowed"));
  }
  for (size_t i = 0; i < spec.quantiles.size(); ++i) {
    if (spec.quantiles[i] >= 0 && spec.quantiles[i] <= 1) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "quantiles[", i, "]: ", spec.quantiles[i], " is not from 0 to 1"));
  }
  if (!spec.quantiles.empty() && spec.reduction == Reduction::kNone) {
    return absl::InvalidArgumentError(
        "quantiles: they are over workers; give a reduction too");
  }
  if (spec.attempt.has_value() && spec.all_attempts) {
    return absl::InvalidArgumentError(
        "attempt: give one, or all_attempts, not both");
  }
  if (spec.attempt == 0u) {
    return absl::InvalidArgumentError("attempt 0: attempts count from 1");
  }
  if (spec.reduction > Reduction::kDefault) {
    return absl::InvalidArgumentError(
        absl::StrCat("reduction ", static_cast<int>(spec.reduction),
                     ": at most ", static_cast<int>(Reduction::kDefault)));
  }
  if (spec.reduction != Reduction::kNone && spec.max_points == 0 &&
      spec.axis != Axis::kStep) {
    return absl::InvalidArgumentError(
        "reduction: workers share steps but not times; on a time axis give "
        "max_points too");
  }
  return absl::OkStatus();
}

absl::Status Answer(const ReadSpec& spec, const Lineage& lineage,
                    LineageReader* reader, size_t metric,
                    const QueryLimits& limits, const PartSink& sink,
                    ReadCounts* counts) {
  PointFilter filter{.axis = spec.axis,
                     .step_range = spec.step_range,
                     .time_range = spec.time_range};
  if (spec.bucket_span.has_value()) {
    Narrow(*spec.bucket_span, lineage.run().start_ns, &filter);
  }
  absl::StatusOr<MetricPlan> plan = reader->Plan(metric, filter);
  if (!plan.ok()) return plan.status();
  uint64_t rows = 0;
  for (const WorkerPlan& worker : plan->workers()) rows += worker.rows;
  QueryGate::Turn turn(limits.gate, rows, spec.cancelled);
  if (absl::Status s = turn.Take(); !s.ok()) return s;
  const PartSink yielding = [&](SeriesPart part) {
    turn.GiveBack();
    absl::Status s = sink(std::move(part));
    return s.ok() ? turn.Take() : s;
  };
  return MetricAnswer(spec, filter, lineage, *reader, metric,
                      limits.memory_bytes, yielding, counts)
      .Send(*plan);
}

}  // namespace waterflow::storage
