#include "client/cpp/batch_encoder.h"

#include <bit>
#include <string>
#include <vector>

namespace waterflow::client {
namespace {

static_assert(std::endian::native == std::endian::little,
              "columns are written as the machine holds them");

template <typename T>
void AppendRaw(std::string* out, T value) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

// What one metric's values in the rows turned out to be.
struct ColumnShape {
  bool any = false;
  bool dense = true;
  bool float32 = true;
};

ColumnShape Inspect(const RowBlock& block, size_t from, size_t to,
                    size_t metric) {
  ColumnShape shape;
  for (size_t row = from; row < to; ++row) {
    if (!block.present(row, metric)) {
      shape.dense = false;
      continue;
    }
    shape.any = true;
    if (shape.float32 && !ExactFloat32(block.value(row, metric))) {
      shape.float32 = false;
      if (!block.sparse()) break;
    }
  }
  return shape;
}

void AppendValues(const RowBlock& block, size_t from, size_t to, size_t metric,
                  const ColumnShape& shape, std::string* out) {
  for (size_t row = from; row < to; ++row) {
    if (!shape.dense && !block.present(row, metric)) continue;
    const double value = block.value(row, metric);
    if (shape.float32) {
      AppendRaw(out, *ExactFloat32(value));
    } else {
      AppendRaw(out, std::bit_cast<uint64_t>(value));
    }
  }
}

std::string PresenceBitmap(const RowBlock& block, size_t from, size_t to,
                           size_t metric) {
  std::string bits((to - from + 7) / 8, '\0');
  for (size_t row = from; row < to; ++row) {
    if (!block.present(row, metric)) continue;
    const size_t r = row - from;
    bits[r / 8] = static_cast<char>(bits[r / 8] | (1 << (r % 8)));
  }
  return bits;
}

}  // namespace

std::optional<uint32_t> ExactFloat32(double value) {
  const uint64_t bits = std::bit_cast<uint64_t>(value);
  constexpr uint64_t kExponent = uint64_t{0x7ff} << 52;
  if ((bits & kExponent) == kExponent) {
    // Inf and NaN by bits: the machine's conversion would quiet a NaN.
    if ((bits & ((uint64_t{1} << 29) - 1)) != 0) return std::nullopt;
    const auto sign = static_cast<uint32_t>(bits >> 32) & 0x80000000u;
    return sign | 0x7f800000u | (static_cast<uint32_t>(bits >> 29) & 0x7fffffu);
  }
  const auto narrow = static_cast<float>(value);
  if (std::bit_cast<uint64_t>(static_cast<double>(narrow)) != bits) {
    return std::nullopt;
  }
  return std::bit_cast<uint32_t>(narrow);
}

v1::Batch EncodeBatch(const RowBlock& block, size_t from, size_t to,
                      uint32_t schema, uint64_t first_row) {
  v1::Batch batch;
  batch.set_schema_id(schema);
  batch.set_first_row(first_row);
  batch.set_rows(static_cast<uint32_t>(to - from));
  for (size_t row = from; row < to; ++row) {
    if (block.has_step()) AppendRaw(batch.mutable_steps(), block.step(row));
    if (block.has_time()) AppendRaw(batch.mutable_times(), block.time_ns(row));
  }
  // The column that the next metric can still join.
  v1::Column* span = nullptr;
  for (size_t metric = 0; metric < block.metrics(); ++metric) {
    const ColumnShape shape = Inspect(block, from, to, metric);
    if (!shape.any) {
      span = nullptr;
      continue;
    }
    const v1::ValueType type =
        shape.float32 ? v1::VALUE_TYPE_FLOAT32 : v1::VALUE_TYPE_FLOAT64;
    if (shape.dense && span != nullptr && span->type() == type) {
      span->set_span(span->span() + 1);
      AppendValues(block, from, to, metric, shape, span->mutable_values());
      continue;
    }
    v1::Column* column = batch.add_columns();
    column->set_metric(static_cast<uint32_t>(metric));
    column->set_span(1);
    column->set_type(type);
    AppendValues(block, from, to, metric, shape, column->mutable_values());
    if (shape.dense) {
      span = column;
    } else {
      column->set_present(PresenceBitmap(block, from, to, metric));
      span = nullptr;
    }
  }
  return batch;
}

size_t RowsWithin(size_t bytes, size_t metrics) {
  // Headers: the batch's own and the message's around it, and for each column
  // its metric, span, type and two lengths. A row may cost a bit in each
  // bitmap.
  const size_t headers = 64 + 32 * metrics;
  if (bytes <= headers) return 0;
  return (bytes - headers) / (RowBlock::RowBytes(metrics) + metrics / 8 + 1);
}

}  // namespace waterflow::client
