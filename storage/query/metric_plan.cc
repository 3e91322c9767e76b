#include "storage/query/metric_plan.h"

#include <algorithm>
#include <utility>

namespace waterflow::storage {
namespace {

// t - start, held at the ends of int64 rather than wrapped: clocks of 1970 and
// 2200 are both accepted.
int64_t Relative(int64_t time_ns, int64_t start_ns) {
  int64_t relative;
  if (__builtin_sub_overflow(time_ns, start_ns, &relative)) {
    return time_ns < start_ns ? INT64_MIN : INT64_MAX;
  }
  return relative;
}

// A plan of a head does not know these.
void SetExtremes(const StripColumns& rows, Strip* strip) {
  const auto set = [&](const std::vector<int64_t>& column, int64_t* min,
                       int64_t* max, bool* ascend) {
    const auto [least, greatest] =
        std::minmax_element(column.begin(), column.begin() + strip->rows);
    *min = *least;
    *max = *greatest;
    *ascend = std::is_sorted(column.begin(), column.begin() + strip->rows);
  };
  if (strip->has_step) {
    set(rows.steps, &strip->min_step, &strip->max_step, &strip->steps_ascend);
  }
  set(rows.times_ns, &strip->min_time_ns, &strip->max_time_ns,
      &strip->times_ascend);
}

Interval WholeSpan(const Strip& strip, Axis axis, int64_t start_ns) {
  switch (axis) {
    case Axis::kStep:
      return {strip.min_step, strip.max_step};
    case Axis::kTime:
      return {strip.min_time_ns, strip.max_time_ns};
    case Axis::kRelativeTime:
      break;
  }
  return {Relative(strip.min_time_ns, start_ns),
          Relative(strip.max_time_ns, start_ns)};
}

// Of the rows that pass; first > last when there is none.
Interval PassingSpan(const StripColumns& columns, uint32_t rows,
                     const RowFilter& passing, Axis axis, int64_t start_ns) {
  Interval span{INT64_MAX, INT64_MIN};
  for (uint32_t row = 0; row < rows; ++row) {
    if (!passing.Passes(columns, row)) continue;
    const int64_t position = PositionOf(columns, row, axis, start_ns);
    span.first = std::min(span.first, position);
    span.last = std::max(span.last, position);
  }
  return span;
}

// Points at one step go by time, those at one time as they were logged.
bool IsOrdered(const Strip& strip, Axis axis) {
  return strip.times_ascend && (axis != Axis::kStep || strip.steps_ascend);
}

}  // namespace

int64_t PositionOf(const StripColumns& columns, uint32_t row, Axis axis,
                   int64_t start_ns) {
  switch (axis) {
    case Axis::kStep:
      return columns.steps[row];
    case Axis::kTime:
      return columns.times_ns[row];
    case Axis::kRelativeTime:
      break;
  }
  return Relative(columns.times_ns[row], start_ns);
}

RowFilter::RowFilter(const RunView& run, const Strip& strip,
                     const PointFilter& filter)
    : filter_(filter) {
  const auto cut = [&](const std::optional<Interval>& range, int64_t min,
                       int64_t max, bool* look) {
    if (!range.has_value()) return;
    none_ = none_ || max < range->first || min > range->last;
    *look = min < range->first || max > range->last;
  };
  if (strip.has_step) {
    cut(filter.step_range, strip.min_step, strip.max_step, &steps_);
    const std::optional<int64_t> hidden_from = run.HiddenFrom(strip.attempt);
    if (hidden_from.has_value() && strip.max_step >= *hidden_from) {
      hidden_from_ = hidden_from;
      none_ = none_ || strip.min_step >= *hidden_from;
    }
  } else {
    none_ = filter.axis == Axis::kStep || filter.step_range.has_value();
  }
  cut(filter.time_range, strip.min_time_ns, strip.max_time_ns, &times_);
  all_ = !none_ && !steps_ && !times_ && !hidden_from_.has_value();
}

absl::Status MetricPlan::Make(
    absl::Span<const std::unique_ptr<LineageSource>> sources, size_t metric,
    const PointFilter& filter) {
  for (const auto& source : sources) {
    for (const MetricPlace& place : source->view->metrics[metric].places) {
      if (absl::Status s = AddSealed(source.get(), place, filter); !s.ok()) {
        return s;
      }
      if (absl::Status s = AddHeads(source.get(), place, filter); !s.ok()) {
        return s;
      }
    }
  }
  Group(filter);
  return absl::OkStatus();
}

absl::Status MetricPlan::AddSealed(LineageSource* source,
                                   const MetricPlace& place,
                                   const PointFilter& filter) {
  const RunView& run = *source->view;
  absl::StatusOr<const std::vector<SealedRows>*> all =
      source->sealed.Rows(place.schema);
  if (!all.ok()) return all.status();
  StripColumns columns;
  for (const SealedRows& rows : **all) {
    const std::vector<Strip>& strips = rows.axis.strips();
    for (uint32_t i = 0; i < strips.size(); ++i) {
      if (!run.Selects(strips[i])) continue;
      const RowFilter passing(run, strips[i], filter);
      if (passing.none()) continue;
      Interval span = WholeSpan(strips[i], filter.axis, run.start_ns);
      if (!passing.all()) {
        if (passing.needs_steps() || filter.axis == Axis::kStep) {
          absl::Status s = rows.axis.ReadSteps(i, &columns.steps);
          if (!s.ok()) return s;
        }
        if (passing.needs_times() || filter.axis != Axis::kStep) {
          absl::Status s = source->sealed.ReadTimes(place.schema, rows, i,
                                                    &columns.times_ns);
          if (!s.ok()) return s;
        }
        span = PassingSpan(columns, strips[i].rows, passing, filter.axis,
                           run.start_ns);
        if (span.first > span.last) continue;
      }
      strips_.push_back({.worker = source->worker_ids[strips[i].worker.value],
                         .source = source,
                         .strip = strips[i],
                         .place = {place.schema, &rows, place.column},
                         .index = i,
                         .all_pass = passing.all(),
                         .span = span,
                         .ordered = IsOrdered(strips[i], filter.axis)});
    }
  }
  return absl::OkStatus();
}

absl::Status MetricPlan::AddHeads(LineageSource* source,
                                  const MetricPlace& place,
                                  const PointFilter& filter) {
  const RunView& run = *source->view;
  const auto heads = source->snapshot.heads.find(place.schema);
  if (heads == source->snapshot.heads.end()) return absl::OkStatus();
  StripReader reader(
      static_cast<uint32_t>(run.schemas[place.schema.value]->metrics.size()),
      {place.column});
  std::vector<StripPlan> plans;
  for (const HeadRows& head : heads->second) {
    plans.clear();
    PlanStrips(head.worker, 0, head.batches, StripGrid(kMaxStripRows), &plans);
    for (const StripPlan& plan : plans) {
      if (!run.Selects(plan.strip)) continue;
      HeadStrip& rows = heads_.emplace_back();
      if (absl::Status s = reader.Read(plan, head.batches, &rows.columns);
          !s.ok()) {
        return s;
      }
      rows.strip = plan.strip;
      SetExtremes(rows.columns, &rows.strip);
      const RowFilter passing(run, rows.strip, filter);
      Interval span{INT64_MAX, INT64_MIN};
      if (passing.all()) {
        span = WholeSpan(rows.strip, filter.axis, run.start_ns);
      } else if (!passing.none()) {
        span = PassingSpan(rows.columns, rows.strip.rows, passing, filter.axis,
                           run.start_ns);
      }
      if (span.first > span.last) {
        heads_.pop_back();
        continue;
      }
      strips_.push_back({.worker = source->worker_ids[rows.strip.worker.value],
                         .source = source,
                         .strip = rows.strip,
                         .place = {},
                         .index = 0,
                         .head = &rows,
                         .all_pass = passing.all(),
                         .span = span,
                         .ordered = IsOrdered(rows.strip, filter.axis)});
    }
  }
  return absl::OkStatus();
}

void MetricPlan::Group(const PointFilter& filter) {
  std::stable_sort(strips_.begin(), strips_.end(),
                   [](const PlannedStrip& a, const PlannedStrip& b) {
                     return a.worker < b.worker;
                   });
  span_ = {INT64_MAX, INT64_MIN};
  for (size_t begin = 0; begin < strips_.size();) {
    size_t end = begin;
    WorkerPlan plan{.worker = strips_[begin].worker,
                    .strips = {},
                    .rows = 0,
                    .ordered = true};
    for (; end < strips_.size() && strips_[end].worker == plan.worker; ++end) {
      const PlannedStrip& strip = strips_[end];
      plan.rows += strip.strip.rows;
      plan.ordered = plan.ordered && strip.ordered;
      if (end > begin) {
        const int64_t before = strips_[end - 1].span.last;
        // Those at one step go by time, whichever strip they are in.
        plan.ordered = plan.ordered && (filter.axis == Axis::kStep
                                            ? before < strip.span.first
                                            : before <= strip.span.first);
      }
      span_.first = std::min(span_.first, strip.span.first);
      span_.last = std::max(span_.last, strip.span.last);
    }
    plan.strips = absl::MakeConstSpan(strips_).subspan(begin, end - begin);
    workers_.push_back(plan);
    begin = end;
  }
}

}  // namespace waterflow::storage
