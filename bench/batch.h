// Turns rows into the bytes of Ingest.Stream messages, ahead of the load: what
// is sent during it is a small head made anew (row number, steps, times) and
// the columns, encoded once and shared by every round that repeats them.
#ifndef WATERFLOW_BENCH_BATCH_H_
#define WATERFLOW_BENCH_BATCH_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "bench/dataset.h"

namespace waterflow::bench {

// Rows of one lane, ready to send.
struct EncodedBatch {
  uint32_t schema_id = 0;
  uint64_t first_row = 0;
  uint32_t rows = 0;
  uint64_t values = 0;
  std::vector<int64_t> steps;
  std::vector<int64_t> times_ns;
  // The Column fields of the Batch message.
  std::string columns;
};

// What a round that repeats the rows adds to them.
struct Shift {
  uint64_t row = 0;
  int64_t step = 0;
  int64_t time_ns = 0;
};

// Cuts a lane into batches of `batch_rows` (the last may be shorter). A column
// is float32 where that is exact for all rows of the lane, else float64, as the
// values of a training script keep their type; neighbours of one type share a
// span.
std::vector<EncodedBatch> EncodeLane(uint32_t schema_id, const LaneRows& lane,
                                     uint32_t batch_rows);

// Size of the Batch message, which is what credit counts.
size_t BatchSize(const EncodedBatch& batch, const Shift& shift);

// Appends the start of a StreamRequest that holds `batch`; its columns must
// follow.
void AppendBatchHead(const EncodedBatch& batch, const Shift& shift,
                     std::string& out);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_BATCH_H_
