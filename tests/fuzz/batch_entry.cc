#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/format/batch.h"
#include "tests/fuzz/entries.h"

namespace waterflow::fuzz {
namespace {

void ReadAll(const storage::BatchView& batch, uint64_t expected) {
  uint64_t values = 0;
  int64_t sum = 0;  // reads every byte, so that a sanitizer sees it
  for (uint32_t row = 0; row < batch.rows; ++row) {
    if (!batch.steps.empty()) sum ^= batch.step(row);
    if (!batch.times.empty()) sum ^= batch.time_ns(row);
  }
  for (const storage::ColumnView& column : batch.columns) {
    const size_t count =
        column.values.size() / storage::ValueBytes(column.type);
    std::vector<double> wide(count);
    storage::WidenValues(column.type, column.values, wide.data());
    values += count;
    uint64_t present = 0;
    for (uint32_t row = 0; !column.dense() && row < batch.rows; ++row) {
      present += storage::IsPresent(column.present, row);
    }
    if (!column.dense() && present != count) std::abort();
  }
  volatile int64_t sink = sum;
  static_cast<void>(sink);
  if (values != expected) std::abort();
}

}  // namespace

int Batch(const uint8_t* input, size_t size) {
  if (size < 1) return 0;
  std::vector<std::string> metrics;
  for (int i = 0; i < input[0]; ++i) metrics.push_back(absl::StrCat("m", i));
  const absl::string_view body(reinterpret_cast<const char*>(input) + 1,
                               size - 1);
  storage::BatchView batch;
  if (!storage::ParseBatch(body, &batch).ok()) return 0;
  uint64_t values = 0;
  if (!storage::CheckBatch(batch, metrics, &values).ok()) return 0;
  ReadAll(batch, values);
  return 0;
}

}  // namespace waterflow::fuzz
