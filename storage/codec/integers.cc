#include "storage/codec/integers.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "storage/codec/compress.h"
#include "storage/codec/planes.h"

namespace waterflow::storage {
namespace {

constexpr size_t kMaxOrder = 2;
constexpr int kMaxWidth = 8;

void AppendVarint(uint64_t value, std::string* out) {
  while (value >= 0x80) {
    out->push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out->push_back(static_cast<char>(value));
}

// Takes a varint off the front; false when there is none of 64 bits.
bool TakeVarint(absl::string_view* bytes, uint64_t* value) {
  *value = 0;
  for (size_t i = 0; i < 10 && i < bytes->size(); ++i) {
    const uint8_t byte = static_cast<uint8_t>((*bytes)[i]);
    if (i == 9 && byte > 1) return false;
    *value |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      bytes->remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

// Smallest and largest, by two's complement.
class Range {
 public:
  void Add(uint64_t value) {
    const auto x = static_cast<int64_t>(value);
    min_ = std::min(min_, x);
    max_ = std::max(max_, x);
  }
  uint64_t base() const { return static_cast<uint64_t>(min_); }
  int width() const {
    if (max_ < min_) return 0;
    const uint64_t span =
        static_cast<uint64_t>(max_) - static_cast<uint64_t>(min_);
    return (std::bit_width(span) + 7) / 8;
  }

 private:
  int64_t min_ = std::numeric_limits<int64_t>::max();
  int64_t max_ = std::numeric_limits<int64_t>::min();
};

// Values to residuals: differences taken `order` times, in place; the first
// `order` of them stay as firsts.
void Difference(uint64_t* values, size_t n, size_t order) {
  for (size_t round = 0; round < order; ++round) {
    for (size_t i = n - 1; i > round; --i) values[i] -= values[i - 1];
  }
}

void Sum(uint64_t* values, size_t n, size_t order) {
  for (size_t round = order; round-- > 0;) {
    for (size_t i = round + 1; i < n; ++i) values[i] += values[i - 1];
  }
}

// The values of a payload, in two's complement, to values[0, n).
absl::Status Decode(absl::string_view payload, uint64_t* values, size_t n) {
  if (payload.empty()) return absl::DataLossError("the header is missing");
  const uint8_t header = static_cast<uint8_t>(payload.front());
  payload.remove_prefix(1);
  const size_t order = header % 16;
  const int width = header / 16;
  if (order > kMaxOrder || order > n || width > kMaxWidth) {
    return absl::DataLossError(absl::StrCat(
        "order ", order, " and width ", width, ", at most ",
        std::min(n, kMaxOrder), " and ", kMaxWidth, " are possible"));
  }
  uint64_t number = 0;
  for (size_t i = 0; i < order; ++i) {
    if (!TakeVarint(&payload, &number)) {
      return absl::DataLossError("the first values are cut short");
    }
    values[i] = UnZigZagBits(number);
  }
  if (!TakeVarint(&payload, &number)) {
    return absl::DataLossError("the base is cut short");
  }
  const uint64_t base = UnZigZagBits(number);
  const size_t residuals = n - order;
  if (width == 0) {
    if (!payload.empty()) {
      return absl::DataLossError(absl::StrCat(
          payload.size(), " bytes left over behind a constant step"));
    }
    std::fill(values + order, values + n, base);
  } else {
    const auto planes = Scratch<uint8_t>(width * residuals);
    absl::Status s = Decompress(payload, planes.get(), width * residuals);
    if (!s.ok()) return s;
    Unshuffle(planes.get(), residuals, width, values + order);
    for (size_t i = order; i < n; ++i) values[i] += base;
  }
  Sum(values, n, order);
  return absl::OkStatus();
}

}  // namespace

Integers Integers::FromInt64s(absl::Span<const int64_t> values) {
  Integers integers;
  integers.count_ = values.size();
  integers.values_ = Scratch<uint64_t>(values.size());
  std::memcpy(integers.values_.get(), values.data(),
              values.size() * sizeof(int64_t));
  integers.Choose();
  return integers;
}

Integers Integers::FromDoubles(absl::Span<const double> values) {
  constexpr double kMaxExact = 9007199254740992.0;  // 2^53
  Integers integers;
  // Most chunks of fractions are known by their first value: look before the
  // memory is asked for.
  const auto is_integer = [](double value) {
    return std::fabs(value) <= kMaxExact &&
           static_cast<double>(static_cast<int64_t>(value)) == value &&
           std::bit_cast<uint64_t>(value) != 1ull << 63;
  };
  if (!is_integer(values.front()) || !is_integer(values.back())) {
    return integers;
  }
  auto whole = Scratch<uint64_t>(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    if (!is_integer(values[i])) return integers;
    whole[i] = static_cast<uint64_t>(static_cast<int64_t>(values[i]));
  }
  integers.count_ = values.size();
  integers.values_ = std::move(whole);
  integers.Choose();
  return integers;
}

void Integers::Choose() {
  Range ranges[kMaxOrder + 1];
  const uint64_t* const v = values_.get();
  for (size_t i = 0; i < count_; ++i) {
    ranges[0].Add(v[i]);
    if (i >= 1) ranges[1].Add(v[i] - v[i - 1]);
    if (i >= 2) ranges[2].Add(v[i] - v[i - 1] - (v[i - 1] - v[i - 2]));
  }
  // Equal widths: the lower order, whose residuals are less noisy.
  const size_t orders = std::min(count_, kMaxOrder + 1);
  for (size_t order = 0; order < orders; ++order) {
    if (order == 0 || ranges[order].width() < width_) {
      order_ = order;
      width_ = ranges[order].width();
      base_ = ranges[order].base();
    }
  }
}

void Integers::AppendTo(std::string* out) const {
  const size_t residuals = count_ - order_;
  const auto work = Scratch<uint64_t>(count_);
  std::memcpy(work.get(), values_.get(), count_ * sizeof(uint64_t));
  Difference(work.get(), count_, order_);
  out->push_back(static_cast<char>(order_ + 16 * width_));
  for (size_t i = 0; i < order_; ++i) {
    AppendVarint(ZigZagBits(work[i]), out);
  }
  AppendVarint(ZigZagBits(base_), out);
  if (width_ == 0) return;
  const auto planes = Scratch<uint8_t>(width_ * residuals);
  for (size_t i = order_; i < count_; ++i) work[i] -= base_;
  Shuffle(work.get() + order_, residuals, width_, planes.get());
  AppendCompressed(planes.get(), width_ * residuals, out);
}

absl::Status DecodeIntegers(absl::string_view payload,
                            absl::Span<int64_t> out) {
  const auto values = Scratch<uint64_t>(out.size());
  absl::Status s = Decode(payload, values.get(), out.size());
  if (s.ok()) std::memcpy(out.data(), values.get(), out.size() * 8);
  return s;
}

absl::Status DecodeIntegers(absl::string_view payload, absl::Span<double> out) {
  const auto values = Scratch<uint64_t>(out.size());
  absl::Status s = Decode(payload, values.get(), out.size());
  if (!s.ok()) return s;
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<double>(static_cast<int64_t>(values[i]));
  }
  return absl::OkStatus();
}

}  // namespace waterflow::storage
