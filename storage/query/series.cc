#include "storage/query/series.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/container/flat_hash_map.h"
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

// Each greater than the one before.
bool Ascends(const std::vector<int64_t>& positions) {
  // Without a branch for each, so that several are compared at once.
  bool ascends = true;
  for (size_t i = 1; i < positions.size(); ++i) {
    ascends &= positions[i - 1] < positions[i];
  }
  return ascends;
}

bool NeedsSteps(const PointFilter& filter, const RunView& run) {
  return filter.whole || filter.axis == Axis::kStep ||
         filter.step_range.has_value() || !run.hiding_steps.empty() ||
         run.steps_below.has_value();
}

bool NeedsTimes(const PointFilter& filter) {
  return filter.whole || filter.axis != Axis::kStep ||
         filter.time_range.has_value();
}

bool Covers(const std::optional<Interval>& range, int64_t first, int64_t last) {
  return !range.has_value() || (range->first <= first && last <= range->last);
}

// A plan does not know them.
void SetExtremes(const StripColumns& rows, Strip* strip) {
  const auto set = [&](const std::vector<int64_t>& column, int64_t* min,
                       int64_t* max) {
    const auto [least, greatest] =
        std::minmax_element(column.begin(), column.begin() + strip->rows);
    *min = *least;
    *max = *greatest;
  };
  if (strip->has_step) set(rows.steps, &strip->min_step, &strip->max_step);
  set(rows.times_ns, &strip->min_time_ns, &strip->max_time_ns);
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

bool SortByAxis(Axis axis, Series* s) {
  if (Ascends(s->positions)) return true;
  // Points at one step go by time; rows without a step (on a time axis) and
  // what is equal keep the order in which they were logged.
  const bool by_time = axis == Axis::kStep;
  if (by_time && !s->whole()) return false;
  const auto before = [&](uint32_t a, uint32_t b) {
    if (s->positions[a] != s->positions[b] || !by_time) {
      return s->positions[a] < s->positions[b];
    }
    return s->times_ns[a] < s->times_ns[b];
  };
  std::vector<uint32_t> order(s->values.size());
  std::iota(order.begin(), order.end(), 0);
  if (std::is_sorted(order.begin(), order.end(), before)) return true;
  std::stable_sort(order.begin(), order.end(), before);
  Permute(order, &s->positions);
  Permute(order, &s->values);
  if (!s->whole()) return true;
  Permute(order, &s->steps);
  Permute(order, &s->times_ns);
  Permute(order, &s->has_step);
  Permute(order, &s->time_stamped);
  return true;
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
  Reserve(**all, filter, out);
  for (const SealedRows& rows : **all) {
    std::optional<Block> block;
    std::optional<uint32_t> steps_of;  // the strip whose steps were read last
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
      const bool known =
          steps_of.has_value() && rows.axis.ShareSteps(*steps_of, i);
      if (strip.has_step && NeedsSteps(filter, run_) && !known) {
        if (absl::Status s = rows.axis.ReadSteps(i, &columns_.steps); !s.ok()) {
          return s;
        }
        steps_of = i;
      }
      if (NeedsTimes(filter)) {
        if (absl::Status s = rows.axis.ReadTimes(i, &columns_.times_ns);
            !s.ok()) {
          return s;
        }
      }
      Append(strip, columns_, chunk_, filter, out);
    }
  }
  return absl::OkStatus();
}

void SeriesReader::Reserve(const std::vector<SealedRows>& all,
                           const PointFilter& filter,
                           SeriesByWorker* out) const {
  absl::flat_hash_map<WorkerId, size_t> counts;
  for (const SealedRows& rows : all) {
    for (const Strip& strip : rows.axis.strips()) {
      if (run_.Selects(strip) && MayPass(strip, filter)) {
        counts[strip.worker] += strip.rows;
      }
    }
  }
  for (const auto& [worker, count] : counts) {
    Series& s = (*out)[worker];
    s.worker = worker;
    s.positions.reserve(s.positions.size() + count);
    s.values.reserve(s.values.size() + count);
  }
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
    for (StripPlan& plan : plans) {
      if (!run_.Selects(plan.strip)) continue;
      if (absl::Status s = reader.Read(plan, head.batches, &columns); !s.ok()) {
        return s;
      }
      SetExtremes(columns, &plan.strip);
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
  // Rows without a step are never hidden.
  const std::optional<int64_t> hidden_from =
      strip.has_step ? run_.HiddenFrom(strip.attempt) : std::nullopt;
  const bool hides = hidden_from.has_value();
  const int64_t hidden_step = hidden_from.value_or(0);
  const bool all_pass =
      (!hides || strip.max_step < hidden_step) &&
      Covers(filter.step_range, strip.min_step, strip.max_step) &&
      Covers(filter.time_range, strip.min_time_ns, strip.max_time_ns);
  Series& s = (*out)[strip.worker];
  s.worker = strip.worker;
  if (all_pass && chunk.dense()) {
    AppendRows(
        strip, rows, chunk.rows, [](size_t i) { return i; }, filter, &s);
    s.values.insert(s.values.end(), chunk.values.begin(), chunk.values.end());
    return;
  }
  kept_.clear();
  if (chunk.dense()) {
    kept_.resize(chunk.rows);
    std::iota(kept_.begin(), kept_.end(), 0);
  } else {
    chunk.AppendRows(&kept_);
  }
  size_t kept = 0;
  for (size_t i = 0; i < kept_.size(); ++i) {
    const uint32_t row = kept_[i];
    const bool passes =
        all_pass || ((!hides || rows.steps[row] < hidden_step) &&
                     (!filter.step_range.has_value() ||
                      filter.step_range->Contains(rows.steps[row])) &&
                     (!filter.time_range.has_value() ||
                      filter.time_range->Contains(rows.times_ns[row])));
    if (!passes) continue;
    kept_[kept++] = row;
    s.values.push_back(chunk.values[i]);
  }
  AppendRows(
      strip, rows, kept, [this](size_t i) { return kept_[i]; }, filter, &s);
}

template <typename RowOf>
void SeriesReader::AppendRows(const Strip& strip, const StripColumns& rows,
                              size_t count, RowOf row_of,
                              const PointFilter& filter, Series* s) const {
  const auto append = [&](auto value_of, auto* column) {
    const size_t before = column->size();
    column->resize(before + count);
    auto* const to = column->data() + before;
    for (size_t i = 0; i < count; ++i) to[i] = value_of(row_of(i));
  };
  const auto step = [&](size_t row) { return rows.steps[row]; };
  const auto time = [&](size_t row) { return rows.times_ns[row]; };
  switch (filter.axis) {
    case Axis::kStep:
      append(step, &s->positions);
      break;
    case Axis::kTime:
      append(time, &s->positions);
      break;
    case Axis::kRelativeTime:
      append([&](size_t row) { return Relative(time(row), run_.start_ns); },
             &s->positions);
      break;
  }
  if (!filter.whole) return;
  append([&](size_t row) { return strip.has_step ? step(row) : 0; }, &s->steps);
  append(time, &s->times_ns);
  append([&](size_t) { return uint8_t{strip.has_step}; }, &s->has_step);
  append([&](size_t) { return uint8_t{strip.time_stamped}; }, &s->time_stamped);
}

}  // namespace waterflow::storage
