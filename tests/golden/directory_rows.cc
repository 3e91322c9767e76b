#include "tests/golden/directory_rows.h"

#include <bit>
#include <cstddef>
#include <iterator>

#include "storage/format/batch.h"

namespace waterflow::storage {
namespace {

// splitmix64: noise that is the same on every machine.
uint64_t Noise(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

double Unit(uint64_t x) {
  return static_cast<double>(Noise(x) >> 11) * 0x1p-53;
}

constexpr uint64_t kStrange[] = {
    0x7ff0000000000001, 0xfff8000000000123, 0x7fffffffffffffff,
    0x8000000000000000, 0x7ff0000000000000, 0xfff0000000000000,
    0x0000000000000001, 0x7fefffffffffffff, 0x0000000000000000};
constexpr uint32_t kStrangeFloats[] = {0x7f800001, 0xffc00123, 0x7f800000,
                                       0xff800000, 0x80000000};

uint32_t GradNorm(uint64_t row) {
  if (row % 6 == 5) return kStrangeFloats[row / 6 % 5];
  return std::bit_cast<uint32_t>(static_cast<float>(1 + Unit(row)));
}

double SecondsOf(uint64_t row) {
  const auto clock = [](uint64_t tick) {  // time.perf_counter()
    return static_cast<double>(81'234'000'000'000 + tick) / 1e9;
  };
  const uint64_t begin = row * 250'000'000 + Noise(row) % 1'000'000;
  return clock(begin + 200'000'000 + Noise(row + 7) % 9'000'000) - clock(begin);
}

template <typename T>
void AppendRaw(T value, std::string* out) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

// A column of `rows` values from `first` on, little-endian as all machines are
// that we build for.
template <typename F>
std::string Column(uint64_t first, uint32_t rows, F value) {
  std::string bytes;
  for (uint64_t row = first; row < first + rows; ++row) {
    AppendRaw(value(row), &bytes);
  }
  return bytes;
}

// The bitmap of the rows that `every` divides, and their values.
template <typename F>
void Sparse(uint32_t metric, ValueType type, uint64_t first, uint32_t rows,
            uint64_t every, F value, BatchBuilder* batch) {
  std::string present((rows + 7) / 8, '\0');
  std::string values;
  for (uint32_t r = 0; r < rows; ++r) {
    if ((first + r) % every != 0) continue;
    present[r / 8] = static_cast<char>(present[r / 8] | 1 << r % 8);
    AppendRaw(value(first + r), &values);
  }
  if (!values.empty()) batch->Column(metric, 1, type, values, present);
}

void Axes(uint64_t first, uint32_t rows, int64_t first_step, uint32_t rank,
          BatchBuilder* batch) {
  std::vector<int64_t> steps;
  std::vector<int64_t> times;
  for (uint64_t row = first; row < first + rows; ++row) {
    steps.push_back(first_step + static_cast<int64_t>(row));
    // Some come late.
    const int64_t late =
        row % 31 == 7 ? static_cast<int64_t>(Noise(row) % 1000) : 0;
    times.push_back(kStart + static_cast<int64_t>(row) * kSecond + rank * 1000 +
                    late);
  }
  batch->Steps(steps).Times(times);
}

}  // namespace

Uuid DirectoryRun(uint8_t number) {
  Uuid id;
  id.bytes.fill(0xa0);
  id.bytes.back() = number;
  return id;
}

Uuid DirectoryStream(uint32_t attempt, uint32_t rank) {
  Uuid id;
  id.bytes.fill(static_cast<uint8_t>(attempt));
  id.bytes.back() = static_cast<uint8_t>(rank);
  return id;
}

std::vector<Metric> TrainSchema() {
  std::vector<Metric> metrics;
  for (const char* name :
       {"loss", "loss_scale", "tokens", "accuracy", "step_seconds", "grad_norm",
        "weight_mean", "hash", "eval", "never", "strange"}) {
    metrics.emplace_back().name = name;
  }
  metrics[0] = {.name = "loss",
                .unit = "nat",
                .description = "cross entropy",
                .goal = Goal::kMinimize,
                .reduction = Reduction::kMean,
                .role = "objective",
                .step_metric = "tokens"};
  metrics[2].reduction = Reduction::kSum;
  return metrics;
}

std::string TrainRows(uint32_t rank, uint64_t first, uint32_t rows,
                      int64_t first_step) {
  BatchBuilder batch(0, first, rows);
  Axes(first, rows, first_step, rank, &batch);
  const auto column = [&](uint32_t metric, ValueType type, auto value) {
    batch.Column(metric, 1, type, Column(first, rows, value));
  };
  column(0, ValueType::kFloat32, [](uint64_t row) {
    return static_cast<float>(2.5 / (1 + static_cast<double>(row)) + Unit(row));
  });
  column(1, ValueType::kFloat64, [](uint64_t) { return 65536.0; });
  column(2, ValueType::kInt64, [&](uint64_t row) {
    // Outliers become exceptions.
    return static_cast<int64_t>(row * 4096 + Noise(row + rank) % 16 +
                                (row % 19 == 18 ? 1'000'000'000 : 0));
  });
  column(3, ValueType::kFloat64, [](uint64_t row) {
    return static_cast<double>(Noise(row) % 10000) / 10000;
  });
  column(4, ValueType::kFloat64, SecondsOf);
  column(5, ValueType::kFloat32, GradNorm);
  // Two neighbours in one column.
  batch.Column(6, 2, ValueType::kFloat64,
               Column(first, rows, [&](uint64_t row) {
                 return Unit(row * 64 + rank);
               }) + Column(first, rows, [](uint64_t row) {
                 return Noise(row * 3) & ~(1ull << 62);
               }));
  Sparse(
      8, ValueType::kFloat64, first, rows, 10,
      [](uint64_t row) { return static_cast<double>(row) / 8; }, &batch);
  column(10, ValueType::kFloat64,
         [](uint64_t row) { return kStrange[row % std::size(kStrange)]; });
  return batch.Build();
}

std::string HostRows(uint64_t first, uint32_t rows, bool stamped) {
  BatchBuilder batch(1, first, rows);
  std::vector<int64_t> times;
  for (uint64_t row = first; row < first + rows; ++row) {
    times.push_back(kStart + static_cast<int64_t>(row) * 15 * kSecond);
  }
  if (!stamped) batch.Times(times);
  batch.Column(0, 2, ValueType::kFloat32,
               Column(first, 2 * rows, [](uint64_t row) {
                 return static_cast<float>(Noise(row) % 1000) / 10;
               }));
  return batch.Build();
}

std::string LongRows(uint64_t first, uint32_t rows) {
  BatchBuilder batch(0, first, rows);
  Axes(first, rows, 0, 0, &batch);
  batch.Column(0, 1, ValueType::kFloat64, Column(first, rows, [](uint64_t row) {
                 return static_cast<double>(row / 1000);
               }));
  Sparse(
      1, ValueType::kFloat32, first, rows, 8,
      [](uint64_t row) { return static_cast<float>(Noise(row) % 97) / 16; },
      &batch);
  Sparse(
      2, ValueType::kFloat64, first, rows, 16,
      [](uint64_t row) { return 1 + Unit(row); }, &batch);
  return batch.Build();
}

std::string SteadyRows(uint64_t first, uint32_t rows) {
  std::vector<int64_t> steps;
  std::vector<int64_t> times;
  std::vector<double> progress;
  for (uint64_t row = first; row < first + rows; ++row) {
    steps.push_back(static_cast<int64_t>(row));
    times.push_back(kStart + steps.back() * kSecond +
                    static_cast<int64_t>(Noise(row) % 4));
    progress.push_back(static_cast<double>(row) / 10);
  }
  return BatchBuilder(0, first, rows)
      .Steps(steps)
      .Times(times)
      .Float64(0, progress)
      .Build();
}

}  // namespace waterflow::storage
