#include "storage/ingest/strip_builder.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "storage/codec/float32.h"

namespace waterflow::storage {
namespace {

void SetBits(uint32_t begin, uint32_t end, std::string* bitmap) {
  for (uint32_t row = begin; row < end; ++row) {
    (*bitmap)[row / 8] = static_cast<char>((*bitmap)[row / 8] | 1 << (row % 8));
  }
}

// From "every row so far has a value" to a bitmap that says so.
void MakeSparse(uint32_t filled, bool any_value, uint32_t strip_rows,
                ChunkValues* chunk) {
  if (!chunk->present.empty()) return;
  chunk->present.assign((strip_rows + 7) / 8, '\0');
  if (any_value) SetBits(0, filled, &chunk->present);
}

}  // namespace

void PlanStrips(WorkerId worker, uint64_t first_row,
                absl::Span<const HeadBatchView> batches, const StripGrid& grid,
                std::vector<StripPlan>* plans) {
  StripPlan* plan = nullptr;
  for (size_t b = 0; b < batches.size(); ++b) {
    const HeadBatchView& batch = batches[b];
    const bool stamped = !batch.has_time;
    for (uint32_t row = batch.skip; row < batch.rows;) {
      if (plan == nullptr || plan->strip.attempt != batch.attempt ||
          plan->strip.has_step != batch.has_step ||
          plan->strip.time_stamped != stamped || grid.IsLine(first_row)) {
        plan = &plans->emplace_back();
        plan->strip.worker = worker;
        plan->strip.attempt = batch.attempt;
        plan->strip.has_step = batch.has_step;
        plan->strip.time_stamped = stamped;
        plan->strip.first_row = first_row;
      }
      const uint32_t rows =
          std::min(batch.rows - row, grid.RowsToLine(first_row));
      plan->pieces.push_back({b, row, rows});
      plan->strip.rows += rows;
      first_row += rows;
      row += rows;
    }
  }
}

StripReader::StripReader(uint32_t metric_count)
    : slot_of_(metric_count), fills_(metric_count) {
  for (uint32_t m = 0; m < metric_count; ++m) {
    slot_of_[m] = static_cast<int32_t>(m);
  }
}

StripReader::StripReader(uint32_t metric_count,
                         absl::Span<const uint32_t> columns)
    : slot_of_(metric_count, -1), fills_(columns.size()) {
  for (size_t i = 0; i < columns.size(); ++i) {
    slot_of_[columns[i]] = static_cast<int32_t>(i);
  }
}

absl::Status StripReader::Read(const StripPlan& plan,
                               absl::Span<const HeadBatchView> batches,
                               StripColumns* out) {
  const uint32_t rows = plan.strip.rows;
  out->steps.resize(plan.strip.has_step ? rows : 0);
  out->times_ns.resize(rows);
  out->metrics.resize(fills_.size());
  for (size_t slot = 0; slot < fills_.size(); ++slot) {
    ChunkValues& chunk = out->metrics[slot];
    chunk.rows = rows;
    chunk.present.clear();
    chunk.values.clear();
    fills_[slot] = Fill{.chunk = &chunk};
  }
  uint32_t at = 0;
  for (const BatchPiece& piece : plan.pieces) {
    const HeadBatchView& batch = batches[piece.batch];
    if (absl::Status s = ParseBatch(batch.body, &view_); !s.ok()) return s;
    if (plan.strip.has_step) {
      std::memcpy(out->steps.data() + at,
                  view_.steps.data() + 8 * size_t{piece.first_row},
                  8 * size_t{piece.rows});
    }
    if (plan.strip.time_stamped) {
      std::fill_n(out->times_ns.begin() + at, piece.rows, batch.received_ns);
    } else {
      std::memcpy(out->times_ns.data() + at,
                  view_.times.data() + 8 * size_t{piece.first_row},
                  8 * size_t{piece.rows});
    }
    for (const ColumnView& column : view_.columns) {
      if (column.dense()) {
        AddDense(column, piece, at, rows);
      } else {
        AddSparse(column, piece, at, rows);
      }
    }
    at += piece.rows;
  }
  for (Fill& fill : fills_) {
    ChunkValues& chunk = *fill.chunk;
    if (fill.count > 0 && fill.rows < rows) {
      MakeSparse(fill.rows, fill.count > 0, rows, &chunk);
    }
    chunk.values.resize(fill.count);
    // Sparse on the wire, but with all its rows: dense on disk.
    if (fill.count == rows || fill.count == 0) chunk.present.clear();
  }
  return absl::OkStatus();
}

double* StripReader::Extend(Fill& fill, uint32_t at, uint32_t rows,
                            uint32_t strip_rows, bool dense) {
  ChunkValues& chunk = *fill.chunk;
  // As long as it can become, once: rows of one come one at a time.
  if (chunk.values.empty()) chunk.values.resize(strip_rows);
  if (fill.rows < at || !dense) {
    MakeSparse(fill.rows, fill.count > 0, strip_rows, &chunk);
  }
  if (dense && !chunk.present.empty()) SetBits(at, at + rows, &chunk.present);
  fill.values = chunk.values.data();
  fill.plain = chunk.present.empty();
  fill.rows = at + rows;
  return chunk.values.data() + fill.count;
}

void StripReader::AddDense(const ColumnView& column, const BatchPiece& piece,
                           uint32_t at, uint32_t strip_rows) {
  const size_t width = ValueBytes(column.type);
  const char* values = column.values.data() + width * size_t{piece.first_row};
  for (uint32_t i = 0; i < column.span; ++i) {
    const int32_t slot = slot_of_[column.metric + i];
    if (slot >= 0 && piece.rows == 1 && fills_[slot].plain &&
        fills_[slot].rows == at) {
      // A live worker's batch is one row: no call per value.
      Fill& fill = fills_[slot];
      switch (column.type) {
        case ValueType::kFloat64:
          std::memcpy(fill.values + fill.count, values, sizeof(double));
          break;
        case ValueType::kFloat32: {
          float narrow;
          std::memcpy(&narrow, values, sizeof(narrow));
          fill.values[fill.count] = static_cast<double>(narrow);
          if (std::isnan(narrow))
            WidenFloat32s(values, 1, fill.values + fill.count);
          break;
        }
        case ValueType::kInt64: {
          int64_t whole;
          std::memcpy(&whole, values, sizeof(whole));
          fill.values[fill.count] = static_cast<double>(whole);
          break;
        }
        case ValueType::kFloat16:
        case ValueType::kBFloat16:
          WidenValues(column.type, {values, width}, fill.values + fill.count);
      }
      ++fill.count;
      fill.rows = at + 1;
    } else if (slot >= 0) {
      Fill& fill = fills_[slot];
      double* const to = Extend(fill, at, piece.rows, strip_rows, true);
      WidenValues(column.type, {values, piece.rows * width}, to);
      fill.count += piece.rows;
    }
    values += width * view_.rows;
  }
}

void StripReader::AddSparse(const ColumnView& column, const BatchPiece& piece,
                            uint32_t at, uint32_t strip_rows) {
  const int32_t slot = slot_of_[column.metric];
  if (slot < 0) return;
  Fill& fill = fills_[slot];
  double* const to = Extend(fill, at, piece.rows, strip_rows, false);
  size_t first = 0;
  size_t count = 0;
  for (uint32_t row = 0; row < piece.first_row + piece.rows; ++row) {
    if (!IsPresent(column.present, row)) continue;
    if (row < piece.first_row) {
      ++first;
      continue;
    }
    ++count;
    const uint32_t strip_row = at + row - piece.first_row;
    SetBits(strip_row, strip_row + 1, &fill.chunk->present);
  }
  const size_t width = ValueBytes(column.type);
  WidenValues(column.type, column.values.substr(first * width, count * width),
              to);
  fill.count += static_cast<uint32_t>(count);
}

}  // namespace waterflow::storage
