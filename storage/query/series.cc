#include "storage/query/series.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "storage/format/batch.h"

namespace waterflow::storage {
namespace {

// Whether a strip can hold a point that passes; its extremes say so.
bool MayPass(const Strip& strip, const PointFilter& filter) {
  if (filter.axis == Axis::kStep || filter.step_range.has_value()) {
    if (!strip.has_step) return false;
  }
  if (filter.step_range.has_value() &&
      (strip.max_step < filter.step_range->first ||
       strip.min_step > filter.step_range->last)) {
    return false;
  }
  return !filter.time_range.has_value() ||
         (strip.max_time_ns >= filter.time_range->first &&
          strip.min_time_ns <= filter.time_range->last);
}

template <typename T>
void Permute(const std::vector<uint32_t>& order, std::vector<T>* column) {
  std::vector<T> sorted;
  sorted.reserve(column->size());
  for (const uint32_t i : order) sorted.push_back((*column)[i]);
  *column = std::move(sorted);
}

// t - start, held at the ends of int64 rather than wrapped: clocks of 1970 and
// 2200 are both accepted.
int64_t Relative(int64_t time_ns, int64_t start_ns) {
  int64_t relative;
  if (__builtin_sub_overflow(time_ns, start_ns, &relative)) {
    return time_ns < start_ns ? INT64_MIN : INT64_MAX;
  }
  return relative;
}

}  // namespace

void SortByAxis(Axis axis, Series* s) {
  // Points at one step go by time; rows without a step (on a time axis) and
  // what is equal keep the order in which they were logged.
  const auto before = [&](uint32_t a, uint32_t b) {
    if (s->positions[a] != s->positions[b] || axis != Axis::kStep) {
      return s->positions[a] < s->positions[b];
    }
    return s->times_ns[a] < s->times_ns[b];
  };
  std::vector<uint32_t> order(s->values.size());
  std::iota(order.begin(), order.end(), 0);
  if (std::is_sorted(order.begin(), order.end(), before)) return;
  std::stable_sort(order.begin(), order.end(), before);
  Permute(order, &s->positions);
  Permute(order, &s->steps);
  Permute(order, &s->times_ns);
  Permute(order, &s->values);
  Permute(order, &s->has_step);
  Permute(order, &s->time_stamped);
}

std::vector<SchemaId> RunView::SchemasRead() const {
  std::vector<SchemaId> ids;
  for (const MetricView& metric : metrics) {
    for (const MetricPlace& place : metric.places) ids.push_back(place.schema);
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

absl::StatusOr<std::vector<Series>> SeriesReader::Read(
    const MetricView& metric, const PointFilter& filter) {
  SeriesByWorker by_worker;
  for (const MetricPlace& place : metric.places) {
    if (absl::Status s = ReadSealed(place, filter, &by_worker); !s.ok()) {
      return s;
    }
    if (absl::Status s = ReadHeads(place, filter, &by_worker); !s.ok()) {
      return s;
    }
  }
  std::vector<Series> all;
  for (auto& [worker, series] : by_worker) {
    if (series.values.empty()) continue;
    SortByAxis(filter.axis, &series);
    all.push_back(std::move(series));
  }
  return all;
}

absl::Status SeriesReader::ReadSealed(const MetricPlace& place,
                                      const PointFilter& filter,
                                      SeriesByWorker* out) {
  absl::StatusOr<const std::vector<SealedRows>*> all =
      sealed_->Rows(place.schema);
  if (!all.ok()) return all.status();
  for (const SealedRows& rows : **all) {
    std::optional<Block> block;
    uint32_t metric = 0;
    const std::vector<Strip>& strips = rows.axis.strips();
    for (uint32_t i = 0; i < strips.size(); ++i) {
      const Strip& strip = strips[i];
      if (!run_.Selects(strip) || !MayPass(strip, filter)) continue;
      if (!block.has_value()) {
        absl::StatusOr<Block> read =
            sealed_->ReadBlock(place.schema, rows, place.column, &metric);
        if (!read.ok()) return read.status();
        block = *std::move(read);
      }
      if (absl::Status s = block->Read(metric, i, strip.rows, &chunk_);
          !s.ok()) {
        return s;
      }
      if (chunk_.values.empty()) continue;
      if (strip.has_step) {
        if (absl::Status s = rows.axis.ReadSteps(i, &columns_.steps); !s.ok()) {
          return s;
        }
      }
      if (absl::Status s = rows.axis.ReadTimes(i, &columns_.times_ns);
          !s.ok()) {
        return s;
      }
      Append(strip, columns_, chunk_, filter, out);
    }
  }
  return absl::OkStatus();
}

absl::Status SeriesReader::ReadHeads(const MetricPlace& place,
                                     const PointFilter& filter,
                                     SeriesByWorker* out) {
  const auto heads = snapshot_.heads.find(place.schema);
  if (heads == snapshot_.heads.end()) return absl::OkStatus();
  const size_t metric_count = run_.schemas[place.schema.value]->metrics.size();
  StripReader reader(static_cast<uint32_t>(metric_count), {place.column});
  std::vector<StripPlan> plans;
  StripColumns columns;
  for (const HeadRows& head : heads->second) {
    plans.clear();
    PlanStrips(head.worker, 0, head.batches, kMaxStripRows, &plans);
    for (const StripPlan& plan : plans) {
      if (!run_.Selects(plan.strip)) continue;
      if (absl::Status s = reader.Read(plan, head.batches, &columns); !s.ok()) {
        return s;
      }
      Append(plan.strip, columns, columns.metrics[0], filter, out);
    }
  }
  return absl::OkStatus();
}

void SeriesReader::Append(const Strip& strip, const StripColumns& rows,
                          const ChunkValues& chunk, const PointFilter& filter,
                          SeriesByWorker* out) {
  if (chunk.values.empty()) return;
  if (!strip.has_step &&
      (filter.axis == Axis::kStep || filter.step_range.has_value())) {
    return;
  }
  const std::optional<int64_t> hidden_from = run_.HiddenFrom(strip.attempt);
  Series& s = (*out)[strip.worker];
  s.worker = strip.worker;
  size_t value = 0;
  for (uint32_t row = 0; row < chunk.rows; ++row) {
    if (!chunk.present.empty() && !IsPresent(chunk.present, row)) continue;
    const double v = chunk.values[value++];
    const int64_t step = strip.has_step ? rows.steps[row] : 0;
    const int64_t time_ns = rows.times_ns[row];
    // Rows without a step are never hidden.
    if (strip.has_step && hidden_from.has_value() && step >= *hidden_from) {
      continue;
    }
    if (filter.step_range.has_value() && !filter.step_range->Contains(step)) {
      continue;
    }
    if (filter.time_range.has_value() &&
        !filter.time_range->Contains(time_ns)) {
      continue;
    }
    switch (filter.axis) {
      case Axis::kStep:
        s.positions.push_back(step);
        break;
      case Axis::kTime:
        s.positions.push_back(time_ns);
        break;
      case Axis::kRelativeTime:
        s.positions.push_back(Relative(time_ns, run_.start_ns));
        break;
    }
    s.steps.push_back(step);
    s.times_ns.push_back(time_ns);
    s.values.push_back(v);
    s.has_step.push_back(strip.has_step);
    s.time_stamped.push_back(strip.time_stamped);
  }
}

}  // namespace waterflow::storage
