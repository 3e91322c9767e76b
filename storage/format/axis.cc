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

// In front of an axis whose times are apart; others begin with their strip
// count, which is at least 1.
constexpr char kTimesApart = 0;

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
  const auto add_column = [&](absl::Span<const int64_t> column, bool skip,
                              std::string* to) {
    const auto [min, max] = std::minmax_element(column.begin(), column.end());
    AppendVarint(ZigZag(*min), &strips_);
    AppendVarint(ZigZag(*max), &strips_);
    const size_t before = to->size();
    if (!skip) EncodeInt64Column(column, to);
    AppendVarint(to->size() - before, &strips_);
  };
  if (strip.has_step) add_column(steps, repeat, &steps_);
  add_column(times_ns, false, &times_);
  steps_end_.push_back(steps_.size());
  times_end_.push_back(times_.size());
  last_steps_.assign(steps.begin(), steps.end());
  ++count_;
}

AxisBuilder::Built AxisBuilder::Build() && {
  const bool apart = times_.size() >= kApartBytes;
  Built built;
  if (apart) built.axis.push_back(kTimesApart);
  AppendVarint(count_, &built.axis);
  AppendVarint(metric_count_, &built.axis);
  AppendVarint(metrics_per_tile_, &built.axis);
  built.axis.append(strips_);
  if (apart) {
    built.axis.append(steps_);
    built.times = std::move(times_);
    AppendChecksum(&built.times);
  } else {
    const auto append = [&](const std::string& columns,
                            const std::vector<size_t>& ends, size_t strip) {
      const size_t begin = strip == 0 ? 0 : ends[strip - 1];
      built.axis.append(columns, begin, ends[strip] - begin);
    };
    for (size_t strip = 0; strip < count_; ++strip) {
      append(steps_, steps_end_, strip);
      append(times_, times_end_, strip);
    }
  }
  AppendChecksum(&built.axis);
  return built;
}

absl::StatusOr<AxisBlock> AxisBlock::Parse(SharedBytes bytes) {
  AxisBlock axis;
  axis.bytes_ = std::move(bytes);
  absl::StatusOr<absl::string_view> body = VerifyChecksum(axis.bytes_.view());
  if (!body.ok()) return body.status();
  axis.times_apart_ = !body->empty() && body->front() == kTimesApart;
  if (axis.times_apart_) body->remove_prefix(1);
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
  size_t steps_bytes = 0;
  size_t& times_bytes = axis.times_apart_ ? axis.times_bytes_ : steps_bytes;
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
      steps = {steps_bytes, in.Varint32()};
      steps_bytes += steps.size;
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
    const Extent times{times_bytes, in.Varint32()};
    times_bytes += times.size;
    if (strip.rows < 1 || strip.rows > kMaxStripRows) {
      return absl::DataLossError(
          absl::StrCat("axis: strip ", i, " of ", strip.rows, " rows"));
    }
    axis.strips_.push_back(strip);
    axis.steps_.push_back(steps);
    axis.times_.push_back(times);
  }
  if (!in.ok() || in.rest().size() != steps_bytes) {
    return absl::DataLossError("axis: malformed");
  }
  const size_t columns_begin = in.rest().data() - axis.bytes_.view().data();
  for (Extent& extent : axis.steps_) extent.begin += columns_begin;
  if (axis.times_apart_) return axis;
  for (Extent& extent : axis.times_) extent.begin += columns_begin;
  return axis;
}

absl::Status AxisBlock::ReadSteps(size_t index,
                                  std::vector<int64_t>* steps) const {
  steps->resize(strips_[index].rows);
  return DecodeInt64Column(Bytes(steps_[index]), absl::MakeSpan(*steps));
}

std::optional<Progression> AxisBlock::StepsProgression(size_t index) const {
  return Int64Progression(Bytes(steps_[index]));
}

absl::StatusOr<absl::string_view> AxisBlock::CheckTimes(
    absl::string_view value) const {
  absl::StatusOr<absl::string_view> columns = VerifyChecksum(value);
  if (columns.ok() && columns->size() != times_bytes_) {
    return absl::DataLossError(absl::StrCat("times of ", columns->size(),
                                            " bytes, their axis says ",
                                            times_bytes_));
  }
  return columns;
}

absl::Status AxisBlock::ReadTimes(size_t index, absl::string_view columns,
                                  std::vector<int64_t>* times_ns) const {
  const Extent& extent = times_[index];
  times_ns->resize(strips_[index].rows);
  return DecodeInt64Column(
      times_apart_ ? columns.substr(extent.begin, extent.size) : Bytes(extent),
      absl::MakeSpan(*times_ns));
}

}  // namespace waterflow::storage
