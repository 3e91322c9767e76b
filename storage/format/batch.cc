#include "storage/format/batch.h"

#include <bit>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "storage/format/bytes.h"
#include "storage/model/limits.h"
#include "storage/model/names.h"

namespace waterflow::storage {
namespace {

// Protobuf wire types (protobuf.dev, "Encoding").
enum WireType : uint32_t { kVarint = 0, kI64 = 1, kBytes = 2, kI32 = 5 };

constexpr uint32_t Tag(uint32_t field, WireType type) {
  return (field << 3) | type;
}

absl::Status Malformed(absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("batch: ", what, " is not valid protobuf"));
}

// Passes over a field that this version does not know.
void SkipField(uint32_t tag, ByteReader* reader) {
  switch (tag & 7) {
    case kVarint:
      reader->Varint();
      return;
    case kI64:
      reader->Bytes(8);
      return;
    case kBytes:
      reader->String();
      return;
    case kI32:
      reader->Bytes(4);
      return;
    default:  // groups: never used by proto3
      reader->Bytes(UINT64_MAX);
  }
}

bool ParseColumn(absl::string_view bytes, ColumnView* column, uint64_t* type) {
  ByteReader reader(bytes);
  while (reader.ok() && !reader.rest().empty()) {
    const uint32_t tag = reader.Varint32();
    switch (tag) {
      case Tag(1, kVarint):
        column->metric = static_cast<uint32_t>(reader.Varint());
        break;
      case Tag(2, kVarint):
        column->span = static_cast<uint32_t>(reader.Varint());
        break;
      case Tag(3, kVarint):
        *type = reader.Varint();
        break;
      case Tag(4, kBytes):
        column->values = reader.String();
        break;
      case Tag(5, kBytes):
        column->present = reader.String();
        break;
      default:
        SkipField(tag, &reader);
    }
  }
  if (column->span == 0) column->span = 1;
  return reader.ok();
}

bool HoldsExactly(int64_t value) {
  const double widened = static_cast<double>(value);
  // 2^63 itself would overflow on the way back.
  return widened < 9223372036854775808.0 &&
         static_cast<int64_t>(widened) == value;
}

uint64_t Word(const char* from) { return LoadFixed<uint64_t>(from); }

// Whether the frame's bytes are at `at`. Frames have 8 to 16 bytes, mostly: two
// words that may overlap tell, where a call of memcmp would cost most of it.
bool IsFramedAs(const ColumnFrame& frame, const char* at) {
  const char* const bytes = frame.bytes.data();
  if (frame.size < 8) return std::memcmp(at, bytes, frame.size) == 0;
  const size_t last = frame.size - 8;
  return Word(at) == Word(bytes) && Word(at + last) == Word(bytes + last) &&
         (frame.size <= 16 || Word(at + 8) == Word(bytes + 8));
}

// Takes the columns in front of `rest` that are framed as those of the batch
// before were. Returns their length.
size_t TakeFramed(const std::vector<ColumnFrame>& frames,
                  absl::string_view rest, std::vector<ColumnView>* columns) {
  size_t at = 0;
  for (size_t i = columns->size(); i < frames.size(); ++i) {
    const ColumnFrame& frame = frames[i];
    if (frame.size == 0 ||
        rest.size() - at < size_t{frame.size} + frame.value_bytes ||
        !IsFramedAs(frame, rest.data() + at)) {
      break;
    }
    ColumnView& column = columns->emplace_back(frame.column);
    column.values = rest.substr(at + frame.size, frame.value_bytes);
    at += size_t{frame.size} + frame.value_bytes;
  }
  return at;
}

// Remembers how a column was framed, if its values came last in it.
void Remember(absl::string_view bytes, const ColumnView& column, size_t index,
              std::vector<ColumnFrame>* frames) {
  if (frames->size() <= index) frames->resize(index + 1);
  ColumnFrame& frame = (*frames)[index];
  frame.size = 0;
  const size_t head = bytes.size() - column.values.size();
  const bool values_last = column.dense() && !column.values.empty() &&
                           column.values.data() == bytes.data() + head;
  if (!values_last || head > frame.bytes.size()) return;
  std::memcpy(frame.bytes.data(), bytes.data(), head);
  frame.size = static_cast<uint32_t>(head);
  frame.value_bytes = static_cast<uint32_t>(column.values.size());
  frame.column = column;
  frame.column.values = {};
}

// Names a column for an error: its number, and the metric when there is one.
std::string ColumnName(size_t index, const ColumnView& column,
                       absl::Span<const std::string> metrics) {
  return column.metric < metrics.size()
             ? absl::StrCat("column ", index, " ",
                            Quoted(metrics[column.metric]))
             : absl::StrCat("column ", index);
}

absl::Status CheckPresence(const ColumnView& column, uint32_t rows,
                           uint64_t* count) {
  if (column.present.size() != (rows + 7) / 8) {
    return absl::InvalidArgumentError(
        absl::StrCat("present has ", column.present.size(),
                     " bytes, rows = ", rows, " need ", (rows + 7) / 8));
  }
  if (column.span != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a sparse column holds one metric, its span is ", column.span));
  }
  if (rows % 8 != 0 &&
      (static_cast<uint8_t>(column.present.back()) >> (rows % 8)) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("present has bits beyond rows = ", rows));
  }
  *count = 0;
  for (const char c : column.present) {
    *count += std::popcount(static_cast<uint8_t>(c));
  }
  return absl::OkStatus();
}

absl::Status CheckColumn(const ColumnView& column, uint32_t rows,
                         uint64_t* count) {
  *count = uint64_t{rows} * column.span;
  if (!column.dense()) {
    if (absl::Status s = CheckPresence(column, rows, count); !s.ok()) return s;
  }
  const size_t width = ValueBytes(column.type);
  if (column.values.size() != *count * width) {
    return absl::InvalidArgumentError(absl::StrCat(
        "has ", column.values.size(), " bytes of values, ", *count,
        column.dense() ? " values (span x rows) of " : " present values of ",
        width, " bytes need ", *count * width));
  }
  if (column.type == ValueType::kInt64) {
    for (uint64_t i = 0; i < *count; ++i) {
      const auto value = LoadFixed<int64_t>(column.values.data() + 8 * i);
      if (!HoldsExactly(value)) {
        return absl::InvalidArgumentError(absl::StrCat(
            "value ", i, " is ", value, ", which no float64 holds exactly"));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

int64_t BatchView::step(uint32_t row) const {
  return LoadFixed<int64_t>(steps.data() + 8 * size_t{row});
}

int64_t BatchView::time_ns(uint32_t row) const {
  return LoadFixed<int64_t>(times.data() + 8 * size_t{row});
}

absl::Status ParseBatch(absl::string_view body, BatchView* batch) {
  std::vector<ColumnView> columns = std::move(batch->columns);
  columns.clear();
  std::vector<ColumnFrame> frames = std::move(batch->frames);
  *batch =
      BatchView{.columns = std::move(columns), .frames = std::move(frames)};
  ByteReader reader(body);
  while (reader.ok() && !reader.rest().empty()) {
    reader.Bytes(TakeFramed(batch->frames, reader.rest(), &batch->columns));
    const absl::string_view at = reader.rest();
    if (at.empty()) break;
    const uint32_t tag = reader.Varint32();
    switch (tag) {
      case Tag(1, kVarint):
        batch->schema = static_cast<uint32_t>(reader.Varint());
        break;
      case Tag(2, kVarint):
        batch->first_row = reader.Varint();
        break;
      case Tag(3, kVarint):
        batch->rows = static_cast<uint32_t>(reader.Varint());
        break;
      case Tag(4, kBytes):
        batch->steps = reader.String();
        break;
      case Tag(5, kBytes):
        batch->times = reader.String();
        break;
      case Tag(6, kBytes): {
        // A column takes 8 bytes at the least, so the message's size bounds
        // their number only loosely; the schema's limit does it well.
        if (batch->columns.size() == kMaxSchemaMetrics) {
          return absl::InvalidArgumentError(
              absl::StrCat("batch: more than ", kMaxSchemaMetrics, " columns"));
        }
        ColumnView& column = batch->columns.emplace_back();
        uint64_t type = 0;
        if (!ParseColumn(reader.String(), &column, &type)) {
          return Malformed(absl::StrCat("column ", batch->columns.size() - 1));
        }
        constexpr auto kLast = static_cast<uint64_t>(kLastValueType);
        if (type < 1 || type > kLast) {
          return absl::InvalidArgumentError(
              absl::StrCat("batch: column ", batch->columns.size() - 1,
                           " has type ", type, ", expected 1 to ", kLast));
        }
        column.type = static_cast<ValueType>(type);
        Remember(at.substr(0, at.size() - reader.rest().size()), column,
                 batch->columns.size() - 1, &batch->frames);
        break;
      }
      default:
        SkipField(tag, &reader);
    }
  }
  return reader.ok() ? absl::OkStatus() : Malformed("the message");
}

absl::Status CheckBatch(const BatchView& batch,
                        absl::Span<const std::string> metrics,
                        uint64_t* values) {
  const uint32_t rows = batch.rows;
  if (rows < 1 || rows > kMaxBatchRows) {
    return absl::InvalidArgumentError(absl::StrCat(
        "batch: rows = ", rows, ", 1 to ", kMaxBatchRows, " are allowed"));
  }
  if (batch.first_row > UINT64_MAX - rows) {
    return absl::InvalidArgumentError(
        absl::StrCat("batch: first_row ", batch.first_row, " is too large"));
  }
  for (const auto& [name, column] :
       {std::pair{"steps", batch.steps}, std::pair{"times", batch.times}}) {
    if (!column.empty() && column.size() != 8 * size_t{rows}) {
      return absl::InvalidArgumentError(
          absl::StrCat("batch: ", name, " has ", column.size(),
                       " bytes, rows = ", rows, " need ", 8 * size_t{rows}));
    }
  }
  *values = 0;
  uint64_t next_metric = 0;
  for (size_t i = 0; i < batch.columns.size(); ++i) {
    const ColumnView& column = batch.columns[i];
    const uint64_t end = uint64_t{column.metric} + column.span;
    uint64_t count = 0;
    absl::Status status;
    if (end > metrics.size()) {
      status = absl::InvalidArgumentError(
          absl::StrCat("reaches metric ", end - 1, ", the schema has ",
                       metrics.size(), " metrics"));
    } else if (column.metric < next_metric) {
      status = absl::InvalidArgumentError(absl::StrCat(
          "begins at metric ", column.metric,
          ", columns ascend and the last one ended before ", next_metric));
    } else {
      status = CheckColumn(column, rows, &count);
    }
    if (!status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "batch: ", ColumnName(i, column, metrics), " ", status.message()));
    }
    next_metric = end;
    *values += count;
  }
  return absl::OkStatus();
}

uint64_t CountValues(const BatchView& batch, uint32_t skip) {
  uint64_t count = 0;
  for (const ColumnView& column : batch.columns) {
    if (column.dense()) {
      count += uint64_t{column.span} * (batch.rows - skip);
      continue;
    }
    for (uint32_t row = skip; row < batch.rows; ++row) {
      count += IsPresent(column.present, row);
    }
  }
  return count;
}

BatchBuilder::BatchBuilder(uint32_t schema, uint64_t first_row, uint32_t rows) {
  AppendVarint(Tag(1, kVarint), &bytes_);
  AppendVarint(schema, &bytes_);
  AppendVarint(Tag(2, kVarint), &bytes_);
  AppendVarint(first_row, &bytes_);
  AppendVarint(Tag(3, kVarint), &bytes_);
  AppendVarint(rows, &bytes_);
}

namespace {

template <typename T>
absl::string_view RawBytes(absl::Span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()),
          values.size() * sizeof(T)};
}

void AppendBytesField(uint32_t field, absl::string_view value,
                      std::string* out) {
  AppendVarint(Tag(field, kBytes), out);
  AppendString(value, out);
}

}  // namespace

BatchBuilder& BatchBuilder::Steps(absl::Span<const int64_t> steps) {
  AppendBytesField(4, RawBytes(steps), &bytes_);
  return *this;
}

BatchBuilder& BatchBuilder::Times(absl::Span<const int64_t> times_ns) {
  AppendBytesField(5, RawBytes(times_ns), &bytes_);
  return *this;
}

BatchBuilder& BatchBuilder::Column(uint32_t metric, uint32_t span,
                                   ValueType type, absl::string_view values,
                                   absl::string_view present) {
  std::string column;
  AppendVarint(Tag(1, kVarint), &column);
  AppendVarint(metric, &column);
  AppendVarint(Tag(2, kVarint), &column);
  AppendVarint(span, &column);
  AppendVarint(Tag(3, kVarint), &column);
  AppendVarint(static_cast<uint64_t>(type), &column);
  AppendBytesField(4, values, &column);
  if (!present.empty()) AppendBytesField(5, present, &column);
  AppendBytesField(6, column, &bytes_);
  return *this;
}

BatchBuilder& BatchBuilder::Float64(uint32_t metric,
                                    absl::Span<const double> values) {
  return Column(metric, 1, ValueType::kFloat64, RawBytes(values));
}

}  // namespace waterflow::storage
