// Plain loops, compiled with -O3 (storage/codec/CMakeLists.txt) so that the
// compiler makes vector instructions of them.
#include "storage/codec/packed.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>

#include "storage/codec/bits.h"
#include "storage/codec/varint.h"

namespace waterflow::storage {
namespace {

constexpr uint8_t kHasExceptions = 0x80;
constexpr size_t kLanes = 16;
// Lanes whose extremes are looked past to see whether outliers made them.
constexpr size_t kSkippedLanes = 2;
// Outliers are looked for when this many bits could be saved.
constexpr int kWorthPatching = 2;
// What an exception takes beside its high part, roughly: place and count.
constexpr size_t kExceptionBits = 8 + 8;

template <typename U>
constexpr int kBitsOf = 8 * sizeof(U);

// Smallest and largest of every 16th value, by two's complement: what the
// vector registers hold anyway says whether a few values stick out.
template <typename U>
struct Extremes {
  using S = std::make_signed_t<U>;
  S min[kLanes];
  S max[kLanes];

  Extremes(const U* values, size_t n) {
    const S* const v = reinterpret_cast<const S*>(values);
    for (size_t k = 0; k < kLanes; ++k) min[k] = max[k] = v[k % n];
    size_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      for (size_t k = 0; k < kLanes; ++k) {
        min[k] = v[i + k] < min[k] ? v[i + k] : min[k];
        max[k] = v[i + k] > max[k] ? v[i + k] : max[k];
      }
    }
    for (; i < n; ++i) {
      min[i % kLanes] = std::min(min[i % kLanes], v[i]);
      max[i % kLanes] = std::max(max[i % kLanes], v[i]);
    }
  }

  U Min() const { return *std::min_element(min, min + kLanes); }
  U Max() const { return *std::max_element(max, max + kLanes); }
  // Without the outermost lanes. Reorders them.
  U InnerMin() {
    std::nth_element(min, min + kSkippedLanes, min + kLanes);
    return min[kSkippedLanes];
  }
  U InnerMax() {
    std::nth_element(max, max + kLanes - 1 - kSkippedLanes, max + kLanes);
    return max[kLanes - 1 - kSkippedLanes];
  }
};

template <typename U>
struct Shape {
  U base = 0;
  int width = 0;
  size_t exceptions = 0;
};

// The width above `base` that takes fewest bits, exceptions included.
template <typename U>
Shape<U> BestAbove(U base, int max_width, const U* values, size_t n,
                   size_t* cost) {
  size_t count[kBitsOf<U> + 1] = {};
  for (size_t i = 0; i < n; ++i) {
    ++count[std::bit_width(static_cast<U>(values[i] - base))];
  }
  size_t exceptions = 0;
  Shape<U> best;
  *cost = SIZE_MAX;
  for (int width = kBitsOf<U>; width >= 0; --width) {
    if (width <= max_width) {
      const int high_bits = max_width - width + 1;
      const size_t bits =
          n * static_cast<size_t>(width) +
          exceptions * (kExceptionBits + (high_bits + 6) / 7 * 8);
      if (bits < *cost) {
        *cost = bits;
        best = {base, width, exceptions};
      }
    }
    exceptions += count[width];
  }
  return best;
}

template <typename U>
Shape<U> Choose(const U* values, size_t n) {
  Extremes<U> extremes(values, n);
  const U min = extremes.Min();
  const int width = std::bit_width(static_cast<U>(extremes.Max() - min));
  const Shape<U> plain{min, width, 0};
  if (width < kWorthPatching || n < kLanes) return plain;
  const U inner = extremes.InnerMin();
  const int inner_width =
      std::bit_width(static_cast<U>(extremes.InnerMax() - inner));
  if (width - inner_width < kWorthPatching) return plain;
  size_t cost = 0;
  size_t inner_cost = 0;
  const Shape<U> above = BestAbove(min, width, values, n, &cost);
  const Shape<U> between = BestAbove(inner, width, values, n, &inner_cost);
  return inner_cost < cost ? between : above;
}

uint8_t* PutResiduals(const uint64_t* residuals, size_t n, int width,
                      uint8_t* to) {
  if (n < kGroupValues) {
    PackStream(residuals, n, width, to);
    return to + PackedBytes(n, width);
  }
  uint32_t part[kGroupValues];
  for (size_t i = 0; i < n; ++i) part[i] = static_cast<uint32_t>(residuals[i]);
  PackGroup(part, std::min(width, 32), to);
  if (width > 32) {
    for (size_t i = 0; i < n; ++i) {
      part[i] = static_cast<uint32_t>(residuals[i] >> 32);
    }
    PackGroup(part, width - 32, to + PackedBytes(n, 32));
  }
  return to + PackedBytes(n, width);
}

uint8_t* PutResiduals(const uint32_t* residuals, size_t n, int width,
                      uint8_t* to) {
  if (n == kGroupValues) {
    PackGroup(residuals, width, to);
    return to + PackedBytes(n, width);
  }
  uint64_t wide[kGroupValues];
  std::copy_n(residuals, n, wide);
  return PutResiduals(wide, n, width, to);
}

template <typename U>
void AppendGroup(const U* values, size_t n, U* base, std::string* out) {
  using S = std::make_signed_t<U>;
  const Shape<U> shape = Choose(values, n);
  // Head, base, residuals; an exception only ever saves bytes.
  uint8_t bytes[1 + 2 * kMaxVarintBytes + 8 * kGroupValues + 8];
  uint8_t* to = bytes;
  *to++ = static_cast<uint8_t>(shape.width |
                               (shape.exceptions > 0 ? kHasExceptions : 0));
  to = PutVarint(ZigZagBits<U>(shape.base - *base), to);
  *base = shape.base;
  U residuals[kGroupValues];
  for (size_t i = 0; i < n; ++i) residuals[i] = values[i] - shape.base;
  if (shape.exceptions > 0) {
    const U mask = (U{1} << shape.width) - 1;
    *to++ = static_cast<uint8_t>(shape.exceptions - 1);
    for (size_t i = 0; i < n; ++i) {
      if (residuals[i] > mask) *to++ = static_cast<uint8_t>(i);
    }
    for (size_t i = 0; i < n; ++i) {
      if (residuals[i] <= mask) continue;
      const S high = static_cast<S>(residuals[i]) >> shape.width;
      to = PutVarint(ZigZagBits<U>(static_cast<U>(high)), to);
      residuals[i] &= mask;
    }
  }
  to = PutResiduals(residuals, n, shape.width, to);
  out->append(reinterpret_cast<const char*>(bytes), to - bytes);
}

void GetResiduals(const uint8_t* in, size_t n, int width, uint64_t* values) {
  if (n < kGroupValues) {
    UnpackStream(in, n, width, values);
    return;
  }
  uint32_t low[kGroupValues];
  UnpackGroup(in, std::min(width, 32), low);
  if (width <= 32) {
    std::copy_n(low, kGroupValues, values);
    return;
  }
  uint32_t high[kGroupValues];
  UnpackGroup(in + PackedBytes(n, 32), width - 32, high);
  for (size_t i = 0; i < kGroupValues; ++i) {
    values[i] = low[i] | static_cast<uint64_t>(high[i]) << 32;
  }
}

void GetResiduals(const uint8_t* in, size_t n, int width, uint32_t* values) {
  if (n == kGroupValues) {
    UnpackGroup(in, width, values);
    return;
  }
  uint64_t wide[kGroupValues];
  UnpackStream(in, n, width, wide);
  for (size_t i = 0; i < n; ++i) values[i] = static_cast<uint32_t>(wide[i]);
}

template <typename U>
bool TakeGroup(absl::string_view* in, size_t n, U* base, U* values) {
  if (in->empty()) return false;
  const uint8_t head = static_cast<uint8_t>(in->front());
  in->remove_prefix(1);
  const int width = head & ~kHasExceptions;
  uint64_t number = 0;
  if (width > kBitsOf<U> || !TakeVarint(in, &number)) return false;
  *base += UnZigZagBits<U>(static_cast<U>(number));
  size_t exceptions = 0;
  uint8_t places[kGroupValues];
  U highs[kGroupValues];
  if (head & kHasExceptions) {
    if (width == kBitsOf<U> || in->empty()) return false;
    exceptions = 1 + static_cast<uint8_t>(in->front());
    in->remove_prefix(1);
    if (exceptions > n || exceptions > in->size()) return false;
    std::memcpy(places, in->data(), exceptions);
    in->remove_prefix(exceptions);
    for (size_t e = 0; e < exceptions; ++e) {
      if (places[e] >= n || !TakeVarint(in, &number)) return false;
      highs[e] = UnZigZagBits<U>(static_cast<U>(number));
    }
  }
  const size_t size = PackedBytes(n, width);
  if (in->size() < size) return false;
  GetResiduals(reinterpret_cast<const uint8_t*>(in->data()), n, width, values);
  in->remove_prefix(size);
  for (size_t e = 0; e < exceptions; ++e) {
    values[places[e]] += highs[e] << width;
  }
  for (size_t i = 0; i < n; ++i) values[i] += *base;
  return true;
}

template <typename U>
void Append(const U* values, size_t n, std::string* out) {
  U base = 0;
  for (size_t i = 0; i < n; i += kGroupValues) {
    AppendGroup(values + i, std::min(kGroupValues, n - i), &base, out);
  }
}

template <typename U>
bool Take(absl::string_view* in, U* values, size_t n) {
  U base = 0;
  for (size_t i = 0; i < n; i += kGroupValues) {
    const size_t count = std::min(kGroupValues, n - i);
    if (!TakeGroup(in, count, &base, values + i)) return false;
  }
  return true;
}

template <typename U>
int EstimateWidth(const U* values, size_t n) {
  Extremes<U> extremes(values, n);
  const int width =
      std::bit_width(static_cast<U>(extremes.Max() - extremes.Min()));
  if (n < kLanes) return width;
  const U inner = extremes.InnerMin();
  const int inner_width =
      std::bit_width(static_cast<U>(extremes.InnerMax() - inner));
  return std::min(width, 1 + inner_width);
}

}  // namespace

void AppendPacked(const uint32_t* values, size_t n, std::string* out) {
  Append(values, n, out);
}
void AppendPacked(const uint64_t* values, size_t n, std::string* out) {
  Append(values, n, out);
}
bool TakePacked(absl::string_view* in, uint32_t* values, size_t n) {
  return Take(in, values, n);
}
bool TakePacked(absl::string_view* in, uint64_t* values, size_t n) {
  return Take(in, values, n);
}
int EstimatePackedWidth(const uint32_t* values, size_t n) {
  return EstimateWidth(values, n);
}
int EstimatePackedWidth(const uint64_t* values, size_t n) {
  return EstimateWidth(values, n);
}

}  // namespace waterflow::storage
