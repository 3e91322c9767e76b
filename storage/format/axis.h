// The axis of one worker block in a generation: which rows of which workers
// it holds, and their steps and times, once for all metrics of the schema. Many
// times are a value of their own: few questions need them, and they are most of
// the bytes. Few of them would be one more tiny value.
//
// A strip is a span of rows of one worker and one attempt in which step and
// time are all there or all missing; a chunk holds the values of one metric
// over one strip. Strips are ordered by worker, then row.
//
//   axis   := [0 u8], strip_count varint, metric_count varint,
//             metrics_per_tile varint, strip*, columns, checksum
//   columns:= for each strip its steps (step_bytes), then, unless the axis
//             begins with a 0, its times (time_bytes)
//   times  := of an axis that begins with a 0: for each strip its times,
//             checksum
//   strip  := worker varint, attempt varint, flags u8, first_row varint,
//             rows varint,
//             [min_step, max_step zigzag varints, step_bytes varint]  has_step
//             min_time, max_time zigzag varints, time_bytes varint
//   flags  := 1 has_step, 2 time_stamped, 4 steps ascend (or repeat),
//             8 times ascend (or repeat), 16 steps are those of the strip
//             before
//
// Steps and times of a strip are an int64 column of storage/codec each. Version
// 1 of the format knows no values of times.
#ifndef WATERFLOW_STORAGE_FORMAT_AXIS_H_
#define WATERFLOW_STORAGE_FORMAT_AXIS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "storage/codec/sequence.h"
#include "storage/format/shared_bytes.h"
#include "storage/model/ids.h"

namespace waterflow::storage {

// Most rows in a strip, and so in a chunk.
inline constexpr uint32_t kMaxStripRows = 4096;
// So many bytes of times are a value of their own.
inline constexpr size_t kApartBytes = 4096;
// Most strips in a worker block.
inline constexpr uint32_t kMaxBlockStrips = 4096;

struct Strip {
  WorkerId worker;
  uint32_t attempt = 1;
  bool has_step = false;
  bool time_stamped = false;  // the server's clock, the client gave none
  bool steps_ascend = true;
  bool times_ascend = true;
  uint64_t first_row = 0;  // row index of (run, schema, worker)
  uint32_t rows = 0;
  int64_t min_step = 0;
  int64_t max_step = 0;
  int64_t min_time_ns = 0;
  int64_t max_time_ns = 0;
};

class AxisBuilder {
 public:
  AxisBuilder(uint32_t metric_count, uint32_t metrics_per_tile)
      : metric_count_(metric_count), metrics_per_tile_(metrics_per_tile) {}
  // Takes worker, attempt, has_step, time_stamped and first_row from `strip`;
  // the rest follows from the columns. `steps` is empty unless has_step.
  void Add(Strip strip, absl::Span<const int64_t> steps,
           absl::Span<const int64_t> times_ns);
  // The axis and its times; these are empty where the axis has them.
  struct Built {
    std::string axis;
    std::string times;
  };
  Built Build() &&;

 private:
  const uint32_t metric_count_;
  const uint32_t metrics_per_tile_;
  uint32_t count_ = 0;
  std::string strips_;
  std::string steps_;
  std::string times_;
  std::vector<size_t> steps_end_;  // of each strip
  std::vector<size_t> times_end_;
  std::vector<int64_t> last_steps_;
};

class AxisBlock {
 public:
  // Keeps the bytes. DATA_LOSS when they are not an axis.
  static absl::StatusOr<AxisBlock> Parse(SharedBytes bytes);

  const std::vector<Strip>& strips() const { return strips_; }
  // Metrics of the schema.
  uint32_t metric_count() const { return metric_count_; }
  uint32_t metrics_per_tile() const { return metrics_per_tile_; }
  // The steps of strip `index`, which has_step.
  absl::Status ReadSteps(size_t index, std::vector<int64_t>* steps) const;
  // Whether the times are a value of their own.
  bool times_apart() const { return times_apart_; }
  // The columns in that value. DATA_LOSS when it is not that of this axis.
  absl::StatusOr<absl::string_view> CheckTimes(absl::string_view value) const;
  // The times of strip `index`; `columns` is what CheckTimes returned, and
  // nobody looks at it where they are not apart.
  absl::Status ReadTimes(size_t index, absl::string_view columns,
                         std::vector<int64_t>* times_ns) const;
  // The steps of a strip that has_step, where it takes no decoding to know.
  std::optional<Progression> StepsProgression(size_t index) const;
  // Whether two strips are known to have the same steps.
  bool ShareSteps(size_t a, size_t b) const {
    return strips_[a].has_step && strips_[b].has_step &&
           steps_[a].begin == steps_[b].begin &&
           strips_[a].rows == strips_[b].rows;
  }

 private:
  struct Extent {
    size_t begin = 0;
    size_t size = 0;
  };

  absl::string_view Bytes(const Extent& extent) const {
    return bytes_.view().substr(extent.begin, extent.size);
  }

  SharedBytes bytes_;
  uint32_t metric_count_ = 0;
  uint32_t metrics_per_tile_ = 1;
  bool times_apart_ = true;
  size_t times_bytes_ = 0;
  std::vector<Strip> strips_;
  std::vector<Extent> steps_;
  std::vector<Extent> times_;  // in their value, if it is one of its own
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_FORMAT_AXIS_H_
