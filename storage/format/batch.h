// A batch of rows, as it comes over the wire, lies in the log and in a head:
// the bytes of one waterflow.v1.Batch (proto/waterflow/v1/ingest.proto), never
// re-encoded. This is a reader of that message made of views, so that a batch
// costs some nanoseconds a column and nothing a value; storage has no protobuf.
//
//   1 schema_id varint   4 steps bytes, rows x int64     6 columns, repeated:
//   2 first_row varint   5 times bytes, rows x int64       1 metric  2 span  3
//   type 3 rows      varint                                     4 values  5
//   present
#ifndef WATERFLOW_STORAGE_FORMAT_BATCH_H_
#define WATERFLOW_STORAGE_FORMAT_BATCH_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "storage/format/value_type.h"

namespace waterflow::storage {

// A column of `span` neighbouring metrics, or a sparse one of one metric.
struct ColumnView {
  uint32_t metric = 0;
  uint32_t span = 1;
  ValueType type = ValueType::kFloat64;
  absl::string_view values;
  absl::string_view present;  // empty: dense

  bool dense() const { return present.empty(); }
};

// The bytes in front of a dense column's values, and what they say.
struct ColumnFrame {
  std::array<char, 24> bytes{};
  uint32_t size = 0;
  uint32_t value_bytes = 0;
  ColumnView column;  // but for its values
};

// Views into a batch body, which must outlive them.
struct BatchView {
  uint32_t schema = 0;
  uint64_t first_row = 0;
  uint32_t rows = 0;
  absl::string_view steps{};  // empty: rows without a step
  absl::string_view times{};  // empty: stamped by the server
  std::vector<ColumnView> columns;
  // How the columns of the batch before were framed. A worker's batches are
  // framed alike: comparing the bytes is much cheaper than parsing them.
  std::vector<ColumnFrame> frames;

  int64_t step(uint32_t row) const;
  int64_t time_ns(uint32_t row) const;
};

// Takes any valid encoding of the message. INVALID_ARGUMENT when it is none;
// what the values mean is not looked at. Reusing *batch
// makes the next batch of the same shape several times cheaper.
absl::Status ParseBatch(absl::string_view body, BatchView* batch);

// Whether rows, columns, lengths and bitmaps agree with each other and with a
// schema of `metrics` metrics. INVALID_ARGUMENT says which column by its number
// and by its name. Counts the values into *values.
absl::Status CheckBatch(const BatchView& batch,
                        absl::Span<const std::string> metrics,
                        uint64_t* values);

// How many values lie in the rows from `skip` on, of a batch that was checked.
uint64_t CountValues(const BatchView& batch, uint32_t skip);

// Bit `row` of a presence bitmap.
inline bool IsPresent(absl::string_view present, uint32_t row) {
  return (static_cast<uint8_t>(present[row / 8]) >> (row % 8)) & 1;
}

// Builds the bytes of a batch: what the unary Write and tests use.
class BatchBuilder {
 public:
  BatchBuilder(uint32_t schema, uint64_t first_row, uint32_t rows);
  BatchBuilder& Steps(absl::Span<const int64_t> steps);
  BatchBuilder& Times(absl::Span<const int64_t> times_ns);
  // `values` are little-endian; `present` empty for a dense column.
  BatchBuilder& Column(uint32_t metric, uint32_t span, ValueType type,
                       absl::string_view values,
                       absl::string_view present = {});
  BatchBuilder& Float64(uint32_t metric, absl::Span<const double> values);
  const std::string& Build() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_FORMAT_BATCH_H_
