#include "storage/ingest/strip_builder.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace waterflow::storage {
namespace {

void SetBits(uint32_t begin, uint32_t end, std::string* bitmap) {
  for (uint32_t row = begin; row < end; ++row) {
    (*bitmap)[row / 8] = static_cast<char>((*bitmap)[row / 8] | 1 << (row % 8));
  }
}

// From "every row so far has a value" to a bitmap that says so.
void MakeSparse(uint32_t filled, uint32_t strip_rows, ChunkValues* chunk) {
  if (!chunk->present.empty()) return;
  chunk->present.assign((strip_rows + 7) / 8, '\0');
  if (!chunk->values.empty()) SetBits(0, filled, &chunk->present);
}

}  // namespace

absl::Status PlanStrips(WorkerId worker, uint64_t first_row,
                        absl::Span<const HeadBatchView> batches,
                        uint32_t max_rows, std::vector<StripPlan>* plans) {
  BatchView view;
  StripPlan* plan = nullptr;
  for (size_t b = 0; b < batches.size(); ++b) {
    const HeadBatchView& batch = batches[b];
    if (absl::Status s = ParseBatch(batch.body, &view); !s.ok()) return s;
    const bool has_step = !view.steps.empty();
    const bool stamped = view.times.empty();
    for (uint32_t row = batch.skip; row < batch.rows;) {
      if (plan == nullptr || plan->strip.attempt != batch.attempt ||
          plan->strip.has_step != has_step ||
          plan->strip.time_stamped != stamped || plan->strip.rows == max_rows) {
        plan = &plans->emplace_back();
        plan->strip.worker = worker;
        plan->strip.attempt = batch.attempt;
        plan->strip.has_step = has_step;
        plan->strip.time_stamped = stamped;
        plan->strip.first_row = first_row;
      }
      const uint32_t rows =
          std::min(batch.rows - row, max_rows - plan->strip.rows);
      plan->pieces.push_back({b, row, rows});
      plan->strip.rows += rows;
      first_row += rows;
      row += rows;
    }
  }
  return absl::OkStatus();
}

StripReader::StripReader(uint32_t metric_count)
    : slot_of_(metric_count), slots_(metric_count) {
  for (uint32_t m = 0; m < metric_count; ++m) {
    slot_of_[m] = static_cast<int32_t>(m);
  }
}

StripReader::StripReader(uint32_t metric_count,
                         absl::Span<const uint32_t> columns)
    : slot_of_(metric_count, -1), slots_(columns.size()) {
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
  out->metrics.resize(slots_);
  for (ChunkValues& chunk : out->metrics) {
    chunk.rows = rows;
    chunk.present.clear();
    chunk.values.clear();
  }
  filled_.assign(slots_, 0);
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
      Fill(column, piece, at, rows, out);
    }
    at += piece.rows;
  }
  for (size_t slot = 0; slot < slots_; ++slot) {
    ChunkValues& chunk = out->metrics[slot];
    if (!chunk.values.empty() && filled_[slot] < rows) {
      MakeSparse(filled_[slot], rows, &chunk);
    }
    // Sparse on the wire, but with all its rows: dense on disk.
    if (chunk.values.size() == rows || chunk.values.empty()) {
      chunk.present.clear();
    }
  }
  return absl::OkStatus();
}

void StripReader::Fill(const ColumnView& column, const BatchPiece& piece,
                       uint32_t at, uint32_t strip_rows, StripColumns* out) {
  const size_t width = ValueBytes(column.type);
  for (uint32_t i = 0; i < column.span; ++i) {
    const int32_t slot = slot_of_[column.metric + i];
    if (slot < 0) continue;
    ChunkValues& chunk = out->metrics[slot];
    if (chunk.values.capacity() < strip_rows) chunk.values.reserve(strip_rows);
    if (filled_[slot] < at || !column.dense()) {
      MakeSparse(filled_[slot], strip_rows, &chunk);
    }
    filled_[slot] = at + piece.rows;
    size_t first = piece.first_row;
    size_t count = piece.rows;
    if (column.dense()) {
      first += size_t{i} * view_.rows;
      if (!chunk.present.empty()) {
        SetBits(at, at + piece.rows, &chunk.present);
      }
    } else {
      first = count = 0;
      for (uint32_t row = 0; row < piece.first_row + piece.rows; ++row) {
        if (!IsPresent(column.present, row)) continue;
        if (row < piece.first_row) {
          ++first;
          continue;
        }
        ++count;
        const uint32_t strip_row = at + row - piece.first_row;
        SetBits(strip_row, strip_row + 1, &chunk.present);
      }
    }
    const size_t before = chunk.values.size();
    chunk.values.resize(before + count);
    WidenValues(column.type, column.values.substr(first * width, count * width),
                chunk.values.data() + before);
  }
}

}  // namespace waterflow::storage
