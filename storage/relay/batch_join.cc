#include "storage/relay/batch_join.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"

namespace waterflow::storage {
namespace {

bool IsWhole(const BatchRows& part) {
  return part.from == 0 && part.to == part.view.rows;
}

// How many of the rows before `row` have a value.
uint32_t CountBefore(absl::string_view present, uint32_t row) {
  uint32_t count = 0;
  for (uint32_t r = 0; r < row; ++r) count += IsPresent(present, r);
  return count;
}

// A column of the result, put together of those of the parts.
struct JoinedColumn {
  std::string values;
  std::string present;
};

// Metric by metric, as a column of several holds one after the other.
void JoinDense(absl::Span<const BatchRows> parts, size_t index,
               JoinedColumn* out) {
  const ColumnView& shape = parts[0].view.columns[index];
  const size_t width = ValueBytes(shape.type);
  for (uint32_t metric = 0; metric < shape.span; ++metric) {
    for (const BatchRows& part : parts) {
      const absl::string_view values = part.view.columns[index].values;
      const size_t begin = size_t{metric} * part.view.rows + part.from;
      absl::StrAppend(&out->values,
                      values.substr(begin * width, part.rows() * width));
    }
  }
}

void JoinSparse(absl::Span<const BatchRows> parts, size_t index,
                uint32_t all_rows, JoinedColumn* out) {
  out->present.assign((all_rows + 7) / 8, '\0');
  uint32_t at = 0;
  for (const BatchRows& part : parts) {
    const ColumnView& column = part.view.columns[index];
    const size_t width = ValueBytes(column.type);
    uint32_t count = 0;
    for (uint32_t row = part.from; row < part.to; ++row, ++at) {
      if (!IsPresent(column.present, row)) continue;
      out->present[at / 8] =
          static_cast<char>(out->present[at / 8] | (1 << (at % 8)));
      ++count;
    }
    const size_t before = CountBefore(column.present, part.from);
    absl::StrAppend(&out->values,
                    column.values.substr(before * width, count * width));
  }
}

}  // namespace

uint64_t BatchRows::bytes() const {
  const uint64_t stamps = view.times.empty() ? 8 * uint64_t{rows()} : 0;
  return body.size() * rows() / std::max(view.rows, 1u) + stamps;
}

bool CanJoin(const BatchRows& last, const BatchRows& next) {
  const BatchView& a = last.view;
  const BatchView& b = next.view;
  return last.end_row() == next.first_row() &&
         a.steps.empty() == b.steps.empty() &&
         std::equal(a.columns.begin(), a.columns.end(), b.columns.begin(),
                    b.columns.end(),
                    [](const ColumnView& x, const ColumnView& y) {
                      return x.metric == y.metric && x.span == y.span &&
                             x.type == y.type && x.dense() == y.dense();
                    });
}

std::string JoinBatches(absl::Span<const BatchRows> parts) {
  const BatchRows& first = parts[0];
  if (parts.size() == 1 && IsWhole(first) && !first.view.times.empty()) {
    return std::string(first.body);
  }
  uint32_t rows = 0;
  for (const BatchRows& part : parts) rows += part.rows();
  std::vector<int64_t> steps;
  std::vector<int64_t> times;
  times.reserve(rows);
  for (const BatchRows& part : parts) {
    for (uint32_t row = part.from; row < part.to; ++row) {
      if (!part.view.steps.empty()) steps.push_back(part.view.step(row));
      times.push_back(part.view.times.empty() ? part.received_ns
                                              : part.view.time_ns(row));
    }
  }
  BatchBuilder batch(first.view.schema, first.first_row(), rows);

  if (!steps.empty()) batch.Steps(steps);
  batch.Times(times);
  for (size_t i = 0; i < first.view.columns.size(); ++i) {
    const ColumnView& shape = first.view.columns[i];
    JoinedColumn column;
    if (shape.dense()) {
      JoinDense(parts, i, &column);
    } else {
      JoinSparse(parts, i, rows, &column);
    }
    batch.Column(shape.metric, shape.span, shape.type, column.values,
                 column.present);
  }
  return batch.Build();
}

}  // namespace waterflow::storage
