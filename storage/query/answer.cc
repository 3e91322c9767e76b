#include "storage/query/answer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/model/limits.h"
#include "storage/query/bucket.h"
#include "storage/query/reduce.h"

namespace waterflow::storage {
namespace {

absl::Status CheckCount(absl::string_view field, size_t count, size_t max) {
  if (count >= 1 && count <= max) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": ", count, " given, 1 to ", max, " are allowed"));
}

absl::Status CheckRange(absl::string_view field,
                        const std::optional<Interval>& range) {
  if (!range.has_value() || range->first <= range->last) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      field, ": first ", range->first, " is after last ", range->last));
}

SeriesView ViewOf(const Series& series, uint32_t worker) {
  return {
      .worker = worker, .positions = series.positions, .values = series.values};
}

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

absl::Status AnswerBuckets(const SeriesPart& head, std::vector<Bucket> buckets,
                           const PartSink& sink) {
  for (size_t begin = 0; begin < buckets.size(); begin += kPartPoints) {
    const size_t end = std::min(buckets.size(), begin + kPartPoints);
    SeriesPart part = head;
    if (begin == 0 && end == buckets.size()) {
      part.buckets = std::move(buckets);
      return sink(std::move(part));
    }
    part.buckets.assign(buckets.begin() + begin, buckets.begin() + end);
    if (absl::Status status = sink(std::move(part)); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

// From the first position to the last, over all series.
Interval SpanOf(const std::vector<Series>& series) {
  Interval span{INT64_MAX, INT64_MIN};
  for (const Series& s : series) {
    span.first = std::min(span.first, s.positions.front());
    span.last = std::max(span.last, s.positions.back());
  }
  return span;
}

}  // namespace

absl::Status CheckReadSpec(const ReadSpec& spec) {
  for (const absl::Status& s :
       {CheckCount("run_ids", spec.runs.size(), kMaxReadRuns),
        CheckCount("metrics", spec.metrics.size(), kMaxReadMetrics),
        CheckRange("step_range", spec.step_range),
        CheckRange("time_range", spec.time_range)}) {
    if (!s.ok()) return s;
  }
  if (spec.max_points > kMaxReadPoints) {
    return absl::InvalidArgumentError(absl::StrCat(
        "max_points ", spec.max_points, ": at most ", kMaxReadPoints));
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

absl::Status Answer(const ReadSpec& spec, const Uuid& run,
                    absl::Span<const Worker> workers, const MetricView& metric,
                    const std::vector<Series>& series, const PartSink& sink) {
  if (series.empty()) return absl::OkStatus();
  SeriesPart head{.run = run,
                  .metric = metric.name,
                  .worker = std::nullopt,
                  .points = {},
                  .buckets = {},
                  .workers = {}};
  if (spec.reduction == Reduction::kNone) {
    const Interval span = SpanOf(series);
    for (const Series& s : series) {
      head.worker = workers[s.worker.value];
      const absl::Status status =
          spec.max_points == 0
              ? AnswerRaw(head, s, sink)
              : AnswerBuckets(head,
                              BucketSeries(ViewOf(s, 0), span, spec.max_points),
                              sink);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }
  head.reduction =
      spec.reduction == Reduction::kDefault ? metric.reduction : spec.reduction;
  std::vector<SeriesView> views;
  for (const Series& s : series) {
    views.push_back(ViewOf(s, static_cast<uint32_t>(head.workers.size())));
    head.workers.push_back(workers[s.worker.value]);
  }
  return AnswerBuckets(head,
                       spec.max_points == 0
                           ? ReducePerStep(views, head.reduction)
                           : ReduceBuckets(views, SpanOf(series),
                                           spec.max_points, head.reduction),
                       sink);
}

}  // namespace waterflow::storage
