#include "storage/query/series.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace waterflow::storage {
namespace {

template <typename T>
void Permute(const std::vector<uint32_t>& order, std::vector<T>* column) {
  std::vector<T> sorted;
  sorted.reserve(column->size());
  for (const uint32_t i : order) sorted.push_back((*column)[i]);
  *column = std::move(sorted);
}

// The only strip of a worker, sealed and by step: where its rows all have a
// value, its points are at the steps that the axis has.
bool IsOneSealedStrip(const WorkerPlan& worker, Axis axis) {
  return axis == Axis::kStep && worker.strips.size() == 1 &&
         worker.strips[0].head == nullptr && worker.strips[0].all_pass;
}

}  // namespace

absl::Status SeriesReader::Read(const WorkerPlan& worker, bool whole,
                                Series* series) {
  // What is not in order is sorted, which by step takes the times.
  whole = whole || (!worker.ordered && filter_.axis == Axis::kStep);
  series->positions = nullptr;
  series->values.clear();
  series->values.reserve(worker.rows);
  series->steps.clear();
  series->times_ns.clear();
  series->has_step.clear();
  series->time_stamped.clear();
  std::vector<int64_t> positions;
  for (const PlannedStrip& planned : worker.strips) {
    if (absl::Status s = Load(planned, whole); !s.ok()) return s;
    if (chunk_->values.empty()) continue;
    const size_t before = series->values.size();
    const bool all = Keep(planned, &series->values);
    const size_t count = series->values.size() - before;
    if (all && !whole && IsOneSealedStrip(worker, filter_.axis)) {
      const bool known =
          shared_rows_ == planned.place.rows &&
          shared_rows_->axis.ShareSteps(shared_index_, planned.index);
      if (!known) {
        shared_ = std::make_shared<std::vector<int64_t>>(columns_->steps);
        shared_rows_ = planned.place.rows;
        shared_index_ = planned.index;
      }
      series->positions = shared_;
      continue;
    }
    if (positions.empty()) positions.reserve(worker.rows);
    AppendAxis(planned, all, count, whole, &positions, series);
  }
  counts_->points_read += series->values.size();
  if (series->positions != nullptr) return absl::OkStatus();
  if (!worker.ordered) Sort(whole, &positions, series);
  series->positions =
      std::make_shared<const std::vector<int64_t>>(std::move(positions));
  return absl::OkStatus();
}

absl::StatusOr<SeriesReader::StripPoints> SeriesReader::ReadStrip(
    const PlannedStrip& planned) {
  if (absl::Status s = Load(planned, /*whole=*/false); !s.ok()) return s;
  values_.clear();
  positions_.clear();
  if (chunk_->values.empty()) return StripPoints();
  const bool all = Keep(planned, &values_);
  AppendAxis(planned, all, values_.size(), /*whole=*/false, &positions_,
             nullptr);
  counts_->points_read += values_.size();
  return StripPoints{.positions = positions_, .values = values_, .rows = kept_};
}

absl::Status SeriesReader::Load(const PlannedStrip& planned, bool whole) {
  if (planned.head != nullptr) {
    columns_ = &planned.head->columns;
    chunk_ = &planned.head->columns.metrics[0];
    return absl::OkStatus();
  }
  columns_ = &decoded_;
  chunk_ = &decoded_chunk_;
  absl::StatusOr<const Block*> block =
      planned.source->sealed.ReadBlock(planned.place);
  if (!block.ok()) return block.status();
  if (absl::Status s = (*block)->Read(planned.place.metric(), planned.index,
                                      planned.strip.rows, &decoded_chunk_);
      !s.ok()) {
    return s;
  }
  if (decoded_chunk_.values.empty()) return absl::OkStatus();
  ++counts_->chunks_decoded;
  const AxisBlock& axis = planned.place.rows->axis;
  const RowFilter passing(*planned.source->view, planned.strip, filter_);
  const bool by_step = filter_.axis == Axis::kStep;
  const bool known = steps_rows_ == planned.place.rows &&
                     axis.ShareSteps(steps_index_, planned.index);
  if (planned.strip.has_step && !known &&
      (whole || by_step || passing.needs_steps())) {
    steps_rows_ = nullptr;
    if (absl::Status s = axis.ReadSteps(planned.index, &decoded_.steps);
        !s.ok()) {
      return s;
    }
    steps_rows_ = planned.place.rows;
    steps_index_ = planned.index;
  }
  if (whole || !by_step || passing.needs_times()) {
    return planned.source->sealed.ReadTimes(planned.place.schema,
                                            *planned.place.rows, planned.index,
                                            &decoded_.times_ns);
  }
  return absl::OkStatus();
}

bool SeriesReader::Keep(const PlannedStrip& planned,
                        std::vector<double>* values) {
  const ChunkValues& chunk = *chunk_;
  kept_.clear();
  if (planned.all_pass && chunk.dense()) {
    values->insert(values->end(), chunk.values.begin(), chunk.values.end());
    return true;
  }
  chunk.AppendRows(&kept_);
  const RowFilter passing(*planned.source->view, planned.strip, filter_);
  size_t kept = 0;
  for (size_t i = 0; i < kept_.size(); ++i) {
    const uint32_t row = kept_[i];
    if (!planned.all_pass && !passing.Passes(*columns_, row)) continue;
    kept_[kept++] = row;
    values->push_back(chunk.values[i]);
  }
  kept_.resize(kept);
  return false;
}

void SeriesReader::AppendAxis(const PlannedStrip& planned, bool all,
                              size_t count, bool whole,
                              std::vector<int64_t>* positions, Series* series) {
  const StripColumns& columns = *columns_;
  const auto append = [&](auto value_of, auto* column) {
    const size_t before = column->size();
    column->resize(before + count);
    auto* const to = column->data() + before;
    if (all) {
      for (uint32_t i = 0; i < count; ++i) to[i] = value_of(i);
    } else {
      for (size_t i = 0; i < count; ++i) to[i] = value_of(kept_[i]);
    }
  };
  const auto step = [&](uint32_t row) { return columns.steps[row]; };
  const auto time = [&](uint32_t row) { return columns.times_ns[row]; };
  const Strip& strip = planned.strip;
  if (filter_.axis == Axis::kStep) {
    append(step, positions);
  } else {
    append(
        [&](uint32_t row) {
          return PositionOf(columns, row, filter_.axis,
                            planned.source->view->start_ns);
        },
        positions);
  }
  if (!whole) return;
  append([&](uint32_t row) { return strip.has_step ? step(row) : 0; },
         &series->steps);
  append(time, &series->times_ns);
  append([&](uint32_t) { return uint8_t{strip.has_step}; }, &series->has_step);
  append([&](uint32_t) { return uint8_t{strip.time_stamped}; },
         &series->time_stamped);
}

void SeriesReader::Sort(bool whole, std::vector<int64_t>* positions,
                        Series* series) const {
  // Points at one step go by time; rows without a step (on a time axis) and
  // what is equal keep the order in which they were logged.
  const bool by_time = filter_.axis == Axis::kStep;
  const auto before = [&](uint32_t a, uint32_t b) {
    if ((*positions)[a] != (*positions)[b] || !by_time) {
      return (*positions)[a] < (*positions)[b];
    }
    return series->times_ns[a] < series->times_ns[b];
  };
  std::vector<uint32_t> order(series->values.size());
  std::iota(order.begin(), order.end(), 0);
  if (std::is_sorted(order.begin(), order.end(), before)) return;
  std::stable_sort(order.begin(), order.end(), before);
  Permute(order, positions);
  Permute(order, &series->values);
  if (!whole) return;
  Permute(order, &series->steps);
  Permute(order, &series->times_ns);
  Permute(order, &series->has_step);
  Permute(order, &series->time_stamped);
}

}  // namespace waterflow::storage
