#include "storage/format/axis.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/codec/chunk.h"
#include "storage/format/bytes.h"
#include "storage/format/checksum.h"
#include "storage/model/limits.h"

namespace waterflow::storage {
namespace {

enum Flags : uint8_t {
  kHasStep = 1,
  kTimeStamped = 2,
  kStepsAscend = 4,
  kTimesAscend = 8,
  kStepsRepeat = 16,
};

}  // namespace

void AxisBuilder::Add(Strip strip, absl::Span<const int64_t> steps,
                      absl::Span<const int64_t> times_ns) {
  const bool repeat = strip.has_step && count_ > 0 && steps == last_steps_;
  uint8_t flags = 0;
  if (strip.has_step) flags |= kHasStep;
  if (strip.time_stamped) flags |= kTimeStamped;
  if (std::is_sorted(steps.begin(), steps.end())) flags |= kStepsAscend;
  if (std::is_sorted(times_ns.begin(), times_ns.end())) flags |= kTimesAscend;
  if (repeat) flags |= kStepsRepeat;

  AppendVarint(strip.worker.value, &strips_);
  AppendVarint(strip.attempt, &strips_);
  strips_.push_back(static_cast<char>(flags));
  AppendVarint(strip.first_row, &strips_);
  AppendVarint(times_ns.size(), &strips_);
  const auto add_column = [&](absl::Span<const int64_t> column, bool skip) {
    const auto [min, max] = std::minmax_element(column.begin(), column.end());
    AppendVarint(ZigZag(*min), &strips_);
    AppendVarint(ZigZag(*max), &strips_);
    const size_t before = columns_.size();
    if (!skip) EncodeInt64Column(column, &columns_);
    AppendVarint(columns_.size() - before, &strips_);
  };
  if (strip.has_step) add_column(steps, repeat);
  add_column(times_ns, false);
  last_steps_.assign(steps.begin(), steps.end());
  ++count_;
}

std::string AxisBuilder::Build() && {
  std::string out;
  AppendVarint(count_, &out);
  AppendVarint(metric_count_, &out);
  AppendVarint(metrics_per_tile_, &out);
  out.append(strips_);
  out.append(columns_);
  AppendChecksum(&out);
  return out;
}

absl::StatusOr<AxisBlock> AxisBlock::Parse(SharedBytes bytes) {
  AxisBlock axis;
  axis.bytes_ = std::move(bytes);
  absl::StatusOr<absl::string_view> body = VerifyChecksum(axis.bytes_.view());
  if (!body.ok()) return body.status();
  ByteReader in(*body);
  const uint32_t count = in.Varint32();
  axis.metric_count_ = in.Varint32();
  axis.metrics_per_tile_ = in.Varint32();
  if (count > kMaxBlockStrips || axis.metric_count_ > kMaxSchemaMetrics ||
      axis.metrics_per_tile_ == 0 ||
      axis.metrics_per_tile_ > kMaxSchemaMetrics) {
    return absl::DataLossError(
        absl::StrCat("axis of ", count, " strips and ", axis.metric_count_,
                     " metrics in tiles of ", axis.metrics_per_tile_));
  }
  size_t column_bytes = 0;
  for (uint32_t i = 0; i < count && in.ok(); ++i) {
    Strip strip;
    strip.worker.value = in.Varint32();
    strip.attempt = in.Varint32();
    const uint8_t flags = in.Fixed<uint8_t>();
    strip.has_step = flags & kHasStep;
    strip.time_stamped = flags & kTimeStamped;
    strip.steps_ascend = flags & kStepsAscend;
    strip.times_ascend = flags & kTimesAscend;
    strip.first_row = in.Varint();
    strip.rows = in.Varint32();
    Extent steps;
    if (strip.has_step) {
      strip.min_step = in.SignedVarint();
      strip.max_step = in.SignedVarint();
      steps = {column_bytes, in.Varint32()};
      column_bytes += steps.size;
      if (flags & kStepsRepeat) {
        if (i == 0 || axis.strips_.back().rows != strip.rows ||
            !axis.strips_.back().has_step) {
          return absl::DataLossError(
              absl::StrCat("axis: strip ", i, " repeats steps of no strip"));
        }
        steps = axis.steps_.back();
      }
    }
    strip.min_time_ns = in.SignedVarint();
    strip.max_time_ns = in.SignedVarint();
    const Extent times{column_bytes, in.Varint32()};
    column_bytes += times.size;
    if (strip.rows < 1 || strip.rows > kMaxStripRows) {
      return absl::DataLossError(
          absl::StrCat("axis: strip ", i, " of ", strip.rows, " rows"));
    }
    axis.strips_.push_back(strip);
    axis.steps_.push_back(steps);
    axis.times_.push_back(times);
  }
  if (!in.ok() || in.rest().size() != column_bytes) {
    return absl::DataLossError("axis: malformed");
  }
  const size_t columns_begin = body->size() - column_bytes;
  for (Extent& extent : axis.steps_) extent.begin += columns_begin;
  for (Extent& extent : axis.times_) extent.begin += columns_begin;
  return axis;
}

absl::Status AxisBlock::ReadColumn(const Extent& extent, uint32_t rows,
                                   std::vector<int64_t>* out) const {
  out->resize(rows);
  return DecodeInt64Column(Bytes(extent), absl::MakeSpan(*out));
}

absl::Status AxisBlock::ReadSteps(size_t index,
                                  std::vector<int64_t>* steps) const {
  return ReadColumn(steps_[index], strips_[index].rows, steps);
}

std::optional<Progression> AxisBlock::StepsProgression(size_t index) const {
  return Int64Progression(Bytes(steps_[index]));
}

absl::Status AxisBlock::ReadTimes(size_t index,
                                  std::vector<int64_t>* times_ns) const {
  return ReadColumn(times_[index], strips_[index].rows, times_ns);
}

}  // namespace waterflow::storage
