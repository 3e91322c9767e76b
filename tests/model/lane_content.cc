#include "tests/model/lane_content.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"

namespace waterflow::storage::model {
namespace {

// splitmix64.
uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

constexpr uint64_t kStrangeDoubles[] = {
    0x7ff0000000000001,  // a signalling NaN
    0xfff8000000000123, 0x7fffffffffffffff, 0x8000000000000000,
    0x7ff0000000000000, 0xfff0000000000000, 0x0000000000000001,
    0x7fefffffffffffff, 0x3fb999999999999a, 0x7ff8000000000000};
constexpr uint32_t kStrangeFloats[] = {0x7f800001, 0xffc00123, 0x80000000,
                                       0x7f800000, 0xff800000, 0x00000001,
                                       0x7f7fffff};

// DESIGN rule 5: a float32 is widened by its bits, NaNs too.
uint64_t Widen(uint32_t bits) {
  if ((bits & 0x7fffffff) > 0x7f800000) {
    return (uint64_t{bits & 0x80000000u} << 32) | 0x7ff0000000000000 |
           (uint64_t{bits & 0x7fffff} << 29);
  }
  return std::bit_cast<uint64_t>(
      static_cast<double>(std::bit_cast<float>(bits)));
}

// A float16 as the definition has it: 5 bits of exponent, 10 of mantissa.
uint64_t WidenHalf(uint32_t bits) {
  const uint64_t sign = uint64_t{bits >> 15} << 63;
  const uint32_t mantissa = bits & 1023;
  const int exponent = static_cast<int>(bits >> 10) & 31;
  if (exponent == 31) {
    return sign | uint64_t{0x7ff} << 52 | uint64_t{mantissa} << 42;
  }
  return sign | std::bit_cast<uint64_t>(
                    exponent == 0 ? std::ldexp(mantissa, -24)
                                  : std::ldexp(mantissa + 1024, exponent - 25));
}

template <typename T>
void AppendRaw(T value, std::string* out) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

}  // namespace

LaneContent::LaneContent(uint64_t seed) : seed_(Mix(seed)) {
  // Schemas 0 to 9 are subsets of nine metrics; a lane in four is wide.
  const uint64_t schema = seed_ % 10;
  const uint32_t metrics = schema == 9 ? 40 : 9;
  for (uint32_t m = 0; m < metrics; ++m) {
    if (schema == 9 || Mix(schema * 100 + m) % 3 == 0) {
      names_.push_back(absl::StrCat("m", m));
    }
  }
  if (names_.empty()) names_ = {"m0"};
  if (schema % 2 == 1) std::reverse(names_.begin(), names_.end());
}

std::vector<Metric> LaneContent::Metrics() const {
  std::vector<Metric> metrics;
  for (uint32_t c = 0; c < names_.size(); ++c) {
    Metric& metric = metrics.emplace_back();
    metric.name = names_[c];
    const uint64_t h = Hash(11, c);
    if (h % 3 != 0) continue;
    if (h % 2 == 0) metric.unit = absl::StrCat("unit ", h % 5);
    metric.description = absl::StrCat("said by ", h % 1000);
    metric.goal = static_cast<Goal>((h >> 8) % 3);
    metric.reduction = static_cast<Reduction>((h >> 16) % 5);
    if (h % 5 == 0) metric.role = "step_time";
    if (h % 7 == 0) metric.step_metric = "m0";
  }
  return metrics;
}

uint64_t LaneContent::Hash(uint64_t a, uint64_t b) const {
  return Mix(seed_ ^ Mix(a * 1'000'003 + b));
}

bool LaneContent::HasStep(uint64_t row) const {
  return Hash(1, row / 64) % 6 != 0;
}

bool LaneContent::HasTime(uint64_t row) const {
  return Hash(2, row / 48) % 6 != 0;
}

ValueType LaneContent::TypeOf(uint32_t column) const {
  return static_cast<ValueType>(1 + Hash(3, column) % 5);
}

bool LaneContent::Present(uint32_t column, uint64_t row) const {
  switch (Hash(4, column) % 4) {
    case 0:
      return Hash(5 + column, row) % 3 == 0;  // sparse
    case 1:
      return row % 200 < 150;  // for long stretches there and for others not
    default:
      return true;
  }
}

uint64_t LaneContent::Value(uint32_t column, uint64_t row) const {
  const uint64_t h = Hash(100 + column, row);
  const bool strange = h % 37 == 0;
  // Most columns look like telemetry, so that every codec has its turn.
  const uint64_t style = Hash(6, column) % 4;
  switch (TypeOf(column)) {
    case ValueType::kFloat64: {
      if (strange) return kStrangeDoubles[(h >> 8) % 10];
      if (style == 0) return std::bit_cast<uint64_t>(1.5);
      if (style == 1) return h;
      if (style == 2) {
        return std::bit_cast<uint64_t>(static_cast<double>(row) * 0.01);
      }
      return std::bit_cast<uint64_t>(1.0 /
                                     (1.0 + static_cast<double>(h % 997)));
    }
    case ValueType::kFloat32: {
      if (strange) return kStrangeFloats[(h >> 8) % 7];
      if (style == 0) return std::bit_cast<uint32_t>(0.25f);
      if (style == 1) return static_cast<uint32_t>(h);
      return std::bit_cast<uint32_t>(1.0f /
                                     (1.0f + static_cast<float>(row + h % 7)));
    }
    case ValueType::kInt64: {
      if (strange) return (h & 1) != 0 ? uint64_t{1} << 53 : uint64_t{1} << 63;
      if (style == 0) return 7;
      if (style == 1)
        return static_cast<uint64_t>(static_cast<int64_t>(h) >> 12);
      return row * 64 + h % 16;
    }
    case ValueType::kFloat16:
    case ValueType::kBFloat16:
      return (style == 0 ? h >> 16 & 3 : h) & 0xffff;
  }
  return 0;
}

NaiveRow LaneContent::Row(uint64_t row) const {
  NaiveRow out;
  if (HasStep(row)) {
    const uint64_t base = Hash(7, 0);
    const int64_t start = base % 16 == 0 ? std::numeric_limits<int64_t>::min()
                          : base % 16 == 1
                              ? std::numeric_limits<int64_t>::max() - 100
                              : static_cast<int64_t>(base % 200);
    // Steps often go back and repeat.
    uint64_t forward = row;
    if (Hash(8, row) % 11 == 0) forward = row / 2;
    if (Hash(8, row) % 301 == 0) forward = uint64_t{1} << 61;
    int64_t step = 0;
    if (__builtin_add_overflow(start, forward, &step)) {
      step = std::numeric_limits<int64_t>::max();
    }
    out.step = step;
  }
  if (HasTime(row)) {
    // 1970 to 2014, and 2200: the server's clock is in neither.
    const uint64_t t = Hash(9, row);
    const int64_t base = static_cast<int64_t>(row) * 1'000'000'000 +
                         static_cast<int64_t>(t % 3'000'000'000);
    out.time_ns = Hash(10, row / 100) % 9 == 0
                      ? int64_t{7'258'118'400} * 1'000'000'000 + base
                      : base;
    if (t % 499 == 0) out.time_ns = std::numeric_limits<int64_t>::min();
    if (t % 499 == 1) out.time_ns = std::numeric_limits<int64_t>::max();
  } else {
    out.stamped = true;
  }
  for (uint32_t c = 0; c < names_.size(); ++c) {
    if (!Present(c, row)) continue;
    const uint64_t value = Value(c, row);
    switch (TypeOf(c)) {
      case ValueType::kFloat64:
        out.values[c] = value;
        break;
      case ValueType::kFloat32:
        out.values[c] = Widen(static_cast<uint32_t>(value));
        break;
      case ValueType::kInt64:
        out.values[c] = std::bit_cast<uint64_t>(
            static_cast<double>(static_cast<int64_t>(value)));
        break;
      case ValueType::kFloat16:
        out.values[c] = WidenHalf(static_cast<uint32_t>(value));
        break;
      case ValueType::kBFloat16:
        out.values[c] = Widen(static_cast<uint32_t>(value) << 16);
    }
  }
  return out;
}

uint32_t LaneContent::RowsOfOneShape(uint64_t row, uint32_t limit) const {
  uint32_t rows = 1;
  while (rows < limit && HasStep(row) == HasStep(row + rows) &&
         HasTime(row) == HasTime(row + rows)) {
    ++rows;
  }
  return rows;
}

std::string LaneContent::Batch(uint32_t number, uint64_t first_row,
                               uint32_t rows, uint64_t cut) const {
  BatchBuilder batch(number, first_row, rows);
  std::vector<int64_t> steps;
  std::vector<int64_t> times;
  std::vector<NaiveRow> content;
  for (uint32_t r = 0; r < rows; ++r) {
    const NaiveRow& row = content.emplace_back(Row(first_row + r));
    if (row.step.has_value()) steps.push_back(*row.step);
    if (!row.stamped) times.push_back(row.time_ns);
  }
  if (!steps.empty()) batch.Steps(steps);
  if (!times.empty()) batch.Times(times);
  for (uint32_t c = 0; c < names_.size(); ++c) {
    std::string values;
    std::string present((rows + 7) / 8, '\0');
    uint32_t count = 0;
    // Sometimes as float64, whatever it is: the same value in other clothes.
    const bool widened = (Mix(cut + c) & 3) == 0;
    for (uint32_t r = 0; r < rows; ++r) {
      if (!Present(c, first_row + r)) continue;
      ++count;
      present[r / 8] = static_cast<char>(present[r / 8] | 1 << (r % 8));
      if (widened) {
        AppendRaw(content[r].values.at(c), &values);
      } else {
        const uint64_t value = Value(c, first_row + r);
        values.append(reinterpret_cast<const char*>(&value),
                      ValueBytes(TypeOf(c)));
      }
    }
    // A column that says nothing may be left out.
    if (count == 0 && (Mix(cut + c) & 4) == 0) continue;
    // Full, it may be dense or sparse.
    const bool dense = count == rows && (Mix(cut + c) & 8) == 0;
    batch.Column(c, 1, widened ? ValueType::kFloat64 : TypeOf(c), values,
                 dense ? absl::string_view() : absl::string_view(present));
  }
  return batch.Build();
}

}  // namespace waterflow::storage::model
