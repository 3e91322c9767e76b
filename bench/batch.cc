#include "bench/batch.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "absl/types/span.h"
#include "waterflow/v1/ingest.pb.h"

namespace waterflow::bench {
namespace {

static_assert(std::endian::native == std::endian::little,
              "columns are copied as they lie in memory");

constexpr uint32_t kVarint = 0;
constexpr uint32_t kLengthDelimited = 2;

void AppendVarint(uint64_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) {
    out.push_back(static_cast<char>(value | 0x80));
  }
  out.push_back(static_cast<char>(value));
}

size_t VarintSize(uint64_t value) {
  return (std::bit_width(value | 1) + 6) / 7;
}

void AppendTag(uint32_t field, uint32_t wire_type, std::string& out) {
  AppendVarint(field << 3 | wire_type, out);
}

void AppendNumber(uint32_t field, uint64_t value, std::string& out) {
  if (value == 0) return;
  AppendTag(field, kVarint, out);
  AppendVarint(value, out);
}

size_t NumberSize(uint64_t value) {  // of a field below 16
  return value == 0 ? 0 : 1 + VarintSize(value);
}

void AppendInt64s(uint32_t field, absl::Span<const int64_t> values,
                  int64_t shift, std::string& out) {
  AppendTag(field, kLengthDelimited, out);
  AppendVarint(values.size() * sizeof(int64_t), out);
  const size_t at = out.size();
  out.resize(at + values.size() * sizeof(int64_t));
  for (size_t i = 0; i < values.size(); ++i) {
    const int64_t value = values[i] + shift;
    std::memcpy(&out[at + i * sizeof(value)], &value, sizeof(value));
  }
}

size_t Int64sSize(size_t count) {
  return 1 + VarintSize(count * sizeof(int64_t)) + count * sizeof(int64_t);
}

// By bits: NaN payloads and the sign of zero count.
bool IsFloat32(double value) {
  const double back = static_cast<float>(value);
  return std::bit_cast<uint64_t>(back) == std::bit_cast<uint64_t>(value);
}

template <typename Value>
void AppendValues(const LaneRows& lane, size_t metric, size_t span,
                  size_t first_row, size_t rows, std::string& out) {
  AppendTag(v1::Column::kValuesFieldNumber, kLengthDelimited, out);
  AppendVarint(span * rows * sizeof(Value), out);
  for (size_t m = metric; m < metric + span; ++m) {
    for (size_t r = first_row; r < first_row + rows; ++r) {
      const auto value = static_cast<Value>(lane.columns[m][r]);
      out.append(reinterpret_cast<const char*>(&value), sizeof(value));
    }
  }
}

// Which metrics a float32 holds exactly in all rows.
std::vector<bool> NarrowMetrics(const LaneRows& lane) {
  std::vector<bool> narrow;
  for (const std::vector<double>& column : lane.columns) {
    narrow.push_back(std::all_of(column.begin(), column.end(), IsFloat32));
  }
  return narrow;
}

std::string EncodeColumns(const LaneRows& lane, const std::vector<bool>& narrow,
                          size_t first_row, size_t rows) {
  const size_t metrics = lane.columns.size();
  std::string out;
  std::string column;
  for (size_t m = 0; m < metrics;) {
    size_t end = m + 1;
    while (end < metrics && narrow[end] == narrow[m]) ++end;
    const size_t span = end - m;
    column.clear();
    AppendNumber(v1::Column::kMetricFieldNumber, m, column);
    if (span > 1) AppendNumber(v1::Column::kSpanFieldNumber, span, column);
    if (narrow[m]) {
      AppendNumber(v1::Column::kTypeFieldNumber, v1::VALUE_TYPE_FLOAT32,
                   column);
      AppendValues<float>(lane, m, span, first_row, rows, column);
    } else {
      AppendNumber(v1::Column::kTypeFieldNumber, v1::VALUE_TYPE_FLOAT64,
                   column);
      AppendValues<double>(lane, m, span, first_row, rows, column);
    }
    AppendTag(v1::Batch::kColumnsFieldNumber, kLengthDelimited, out);
    AppendVarint(column.size(), out);
    out += column;
    m = end;
  }
  return out;
}

}  // namespace

std::vector<EncodedBatch> EncodeLane(uint32_t schema_id, const LaneRows& lane,
                                     uint32_t batch_rows) {
  std::vector<EncodedBatch> batches;
  const std::vector<bool> narrow = NarrowMetrics(lane);
  for (size_t row = 0; row < lane.rows(); row += batch_rows) {
    const size_t rows = std::min<size_t>(batch_rows, lane.rows() - row);
    EncodedBatch batch;
    batch.schema_id = schema_id;
    batch.first_row = row;
    batch.rows = static_cast<uint32_t>(rows);
    batch.values = rows * lane.columns.size();
    batch.steps.assign(lane.steps.begin() + row,
                       lane.steps.begin() + row + rows);
    batch.times_ns.assign(lane.times_ns.begin() + row,
                          lane.times_ns.begin() + row + rows);
    batch.columns = EncodeColumns(lane, narrow, row, rows);
    batches.push_back(std::move(batch));
  }
  return batches;
}

size_t BatchSize(const EncodedBatch& batch, const Shift& shift) {
  return NumberSize(batch.schema_id) + NumberSize(batch.first_row + shift.row) +
         NumberSize(batch.rows) + 2 * Int64sSize(batch.rows) +
         batch.columns.size();
}

void AppendBatchHead(const EncodedBatch& batch, const Shift& shift,
                     std::string& out) {
  AppendTag(v1::StreamRequest::kBatchFieldNumber, kLengthDelimited, out);
  AppendVarint(BatchSize(batch, shift), out);
  AppendNumber(v1::Batch::kSchemaIdFieldNumber, batch.schema_id, out);
  AppendNumber(v1::Batch::kFirstRowFieldNumber, batch.first_row + shift.row,
               out);
  AppendNumber(v1::Batch::kRowsFieldNumber, batch.rows, out);
  AppendInt64s(v1::Batch::kStepsFieldNumber, batch.steps, shift.step, out);
  AppendInt64s(v1::Batch::kTimesFieldNumber, batch.times_ns, shift.time_ns,
               out);
}

}  // namespace waterflow::bench
