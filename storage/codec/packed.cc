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
// What exceptions take: once (with what streams waste in their last byte), and
// each beside its high part.
constexpr size_t kPatchBits = 8 + 8 + 8;
constexpr int kPlaceBits = 7;
// Widths are tried downwards until this share of a group is exceptions.
constexpr size_t kMostExceptions = kGroupValues * 2 / 5;

template <typename U>
constexpr int kBitsOf = 8 * sizeof(U);

// By value: std::min's references keep the compiler from vectorising.
template <typename S>
S Least(S a, S b) {
  return b < a ? b : a;
}
template <typename S>
S Most(S a, S b) {
  return b > a ? b : a;
}

// Smallest and largest of every 16th value, by two's complement: what the
// vector registers hold anyway says whether a few values stick out.
template <typename U>
struct Extremes {
  using S = std::make_signed_t<U>;
  U min;
  U max;
  // The least and the most of what comes second in its column, four lanes a
  // column: some of the outermost values lie beyond, and outliers do.
  U inner_min;
  U inner_max;

  Extremes(const U* values, size_t n) {
    const S* const v = reinterpret_cast<const S*>(values);
    S low[kLanes];
    S high[kLanes];
    for (size_t k = 0; k < kLanes; ++k) low[k] = high[k] = v[0];
    size_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      for (size_t k = 0; k < kLanes; ++k) {
        low[k] = Least(low[k], v[i + k]);
        high[k] = Most(high[k], v[i + k]);
      }
    }
    for (; i < n; ++i) {
      low[i % kLanes] = Least(low[i % kLanes], v[i]);
      high[i % kLanes] = Most(high[i % kLanes], v[i]);
    }
    S first[4];
    S second[4];
    for (size_t k = 0; k < 4; ++k) {
      const S a = Least(low[k], low[k + 4]);
      const S b = Least(low[k + 8], low[k + 12]);
      const S other_a = Most(low[k], low[k + 4]);
      const S other_b = Most(low[k + 8], low[k + 12]);
      first[k] = Least(a, b);
      second[k] = Least(Most(a, b), Least(other_a, other_b));
    }
    min = LeastOf4(first);
    inner_min = LeastOf4(second);
    for (size_t k = 0; k < 4; ++k) {
      const S a = Most(high[k], high[k + 4]);
      const S b = Most(high[k + 8], high[k + 12]);
      const S other_a = Least(high[k], high[k + 4]);
      const S other_b = Least(high[k + 8], high[k + 12]);
      first[k] = Most(a, b);
      second[k] = Most(Least(a, b), Most(other_a, other_b));
    }
    max = MostOf4(first);
    inner_max = MostOf4(second);
  }

  int width() const { return std::bit_width(static_cast<U>(max - min)); }
  int inner_width() const {
    return std::bit_width(static_cast<U>(inner_max - inner_min));
  }

 private:
  static S LeastOf4(const S* s) {
    return Least(Least(s[0], s[1]), Least(s[2], s[3]));
  }
  static S MostOf4(const S* s) {
    return Most(Most(s[0], s[1]), Most(s[2], s[3]));
  }
};

template <typename U>
struct Shape {
  U base = 0;
  int width = 0;
  size_t exceptions = 0;
  size_t bits = 0;  // that it all takes, but for head and base
};

size_t CountAtLeast(const uint32_t* values, size_t n, int width) {
  uint32_t count = 0;
  for (size_t i = 0; i < n; ++i) count += values[i] >> width != 0;
  return count;
}

// The width above `base` that takes fewest bits, exceptions included; what is
// below the base wraps and is an exception too. `full_width` is that of all
// values.
template <typename U>
Shape<U> BestAbove(U base, int full_width, const U* values, size_t n) {
  Shape<U> best{.bits = SIZE_MAX};
  // 31 bits of the residuals at a time, the upper ones first, so that the loops
  // are over 32 bits. Mostly that is all.
  int dropped = full_width;
  do {
    const int top = dropped;
    dropped = std::max(0, top - 31);
    const U beyond = top == kBitsOf<U> ? ~U{0} : (U{1} << top) - 1;
    uint32_t residuals[kGroupValues];
    for (size_t i = 0; i < n; ++i) {
      const U residual = values[i] - base;
      residuals[i] = residual > beyond
                         ? UINT32_MAX
                         : static_cast<uint32_t>(residual >> dropped);
    }
    for (int width = top; width >= dropped; --width) {
      const size_t exceptions = CountAtLeast(residuals, n, width - dropped);
      if (exceptions > kMostExceptions) return best;
      const int high_bits = full_width - width + 1;
      const size_t bits =
          n * static_cast<size_t>(width) +
          (exceptions > 0 ? kPatchBits + exceptions * (kPlaceBits + high_bits)
                          : 0);
      if (bits < best.bits) best = {base, width, exceptions, bits};
    }
  } while (dropped > 0);
  return best;
}

template <typename U>
Shape<U> Choose(const U* values, size_t n) {
  const Extremes<U> extremes(values, n);
  const int width = extremes.width();
  if (width < 2 || n < kLanes) return {extremes.min, width, 0, width * n};
  const Shape<U> above = BestAbove(extremes.min, width, values, n);
  const Shape<U> inner = BestAbove(extremes.inner_min, width, values, n);
  return inner.bits < above.bits ? inner : above;
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

// Takes the high parts off the residuals that have one.
template <typename U>
uint8_t* PutExceptions(const Shape<U>& shape, U* residuals, size_t n,
                       uint8_t* to) {
  using S = std::make_signed_t<U>;
  const U mask = (U{1} << shape.width) - 1;
  uint64_t places[kGroupValues] = {};
  uint64_t highs[kGroupValues] = {};
  size_t count = 0;
  uint64_t all = 0;
  for (size_t i = 0; i < n; ++i) {
    if (residuals[i] <= mask) continue;
    const S high = static_cast<S>(residuals[i]) >> shape.width;
    places[count] = i;
    highs[count] = ZigZagBits<U>(static_cast<U>(high));
    all |= highs[count++];
    residuals[i] &= mask;
  }
  const int high_width = std::bit_width(all);
  *to++ = static_cast<uint8_t>(count - 1);
  *to++ = static_cast<uint8_t>(high_width);
  PackStream(places, count, kPlaceBits, to);
  to += PackedBytes(count, kPlaceBits);
  PackStream(highs, count, high_width, to);
  return to + PackedBytes(count, high_width);
}

// Head, base, residuals or what is smaller, and room for whole words.
constexpr size_t kMaxGroupBytes = 1 + kMaxVarintBytes + 8 * kGroupValues + 16;

template <typename U>
uint8_t* PutHead(const Shape<U>& shape, U* base, uint8_t* to) {
  *to++ = static_cast<uint8_t>(shape.width |
                               (shape.exceptions > 0 ? kHasExceptions : 0));
  to = PutVarint(ZigZagBits<U>(shape.base - *base), to);
  *base = shape.base;
  return to;
}

template <typename U>
void AppendShaped(const Shape<U>& shape, const U* values, size_t n, U* base,
                  std::string* out) {
  uint8_t bytes[kMaxGroupBytes];
  uint8_t* to = PutHead(shape, base, bytes);
  U residuals[kGroupValues];
  for (size_t i = 0; i < n; ++i) residuals[i] = values[i] - shape.base;
  if (shape.exceptions > 0) to = PutExceptions(shape, residuals, n, to);
  to = PutResiduals(residuals, n, shape.width, to);
  out->append(reinterpret_cast<const char*>(bytes), to - bytes);
}

void AppendGroup(const uint32_t* values, size_t n, uint32_t* base,
                 std::string* out) {
  AppendShaped(Choose(values, n), values, n, base, out);
}

// 64-bit integers seen through the upper 31 bits of their distances from the
// first one: the vector units that we count on compare no more than 32.
struct Narrowed {
  int dropped = 0;  // bits that each distance lost
  uint32_t distances[kGroupValues] = {};

  Narrowed(const uint64_t* values, size_t n) {
    const uint64_t first = values[0];
    uint64_t any = 0;
    for (size_t i = 0; i < n; ++i) {
      const auto distance = static_cast<int64_t>(values[i] - first);
      any |= static_cast<uint64_t>(distance ^ (distance >> 63));
    }
    // And one for the sign, so that no two are further apart than 31 bits.
    dropped = std::max(0, static_cast<int>(std::bit_width(any)) - 30);
    for (size_t i = 0; i < n; ++i) {
      const auto distance = static_cast<int64_t>(values[i] - first);
      distances[i] = static_cast<uint32_t>(distance >> dropped);
    }
  }
};

Shape<uint64_t> ChooseWide(const uint64_t* values, size_t n,
                           const Narrowed& narrowed) {
  const Shape<uint32_t> small = Choose<uint32_t>(narrowed.distances, n);
  // All that matters may lie in the bits that were dropped.
  if (narrowed.dropped > 0 && small.width == 0) return Choose(values, n);
  const auto offset =
      static_cast<uint64_t>(int64_t{static_cast<int32_t>(small.base)});
  return {.base = values[0] + (offset << narrowed.dropped),
          .width = small.width + narrowed.dropped,
          .exceptions = small.exceptions};
}

void AppendGroup(const uint64_t* values, size_t n, uint64_t* base,
                 std::string* out) {
  Narrowed narrowed(values, n);
  const Shape<uint64_t> shape = ChooseWide(values, n, narrowed);
  if (narrowed.dropped > 0 || shape.exceptions > 0) {
    AppendShaped(shape, values, n, base, out);
    return;
  }
  uint8_t bytes[kMaxGroupBytes];
  uint8_t* to = PutHead(shape, base, bytes);
  const auto offset = static_cast<uint32_t>(shape.base - values[0]);
  for (size_t i = 0; i < n; ++i) narrowed.distances[i] -= offset;
  to = PutResiduals(narrowed.distances, n, shape.width, to);
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

// False when less than `size` bytes are left.
bool TakeBytes(absl::string_view* in, size_t size, const uint8_t** bytes) {
  if (in->size() < size) return false;
  *bytes = reinterpret_cast<const uint8_t*>(in->data());
  in->remove_prefix(size);
  return true;
}

struct Exceptions {
  size_t count = 0;
  uint64_t places[kGroupValues];
  uint64_t highs[kGroupValues];
};

bool TakeExceptions(absl::string_view* in, size_t n, int width_bits,
                    Exceptions* exceptions) {
  const uint8_t* bytes;
  if (!TakeBytes(in, 2, &bytes)) return false;
  const size_t count = size_t{bytes[0]} + 1;
  const int high_width = bytes[1];
  if (count > n || high_width > width_bits) return false;
  if (!TakeBytes(in, PackedBytes(count, kPlaceBits), &bytes)) return false;
  UnpackStream(bytes, count, kPlaceBits, exceptions->places);
  if (!TakeBytes(in, PackedBytes(count, high_width), &bytes)) return false;
  UnpackStream(bytes, count, high_width, exceptions->highs);
  for (size_t e = 0; e < count; ++e) {
    if (exceptions->places[e] >= n) return false;
  }
  exceptions->count = count;
  return true;
}

template <typename U>
bool TakeGroup(absl::string_view* in, size_t n, U* base, U* values) {
  const uint8_t* bytes;
  if (!TakeBytes(in, 1, &bytes)) return false;
  const uint8_t head = *bytes;
  const int width = head & ~kHasExceptions;
  uint64_t number = 0;
  if (width > kBitsOf<U> || !TakeVarint(in, &number)) return false;
  *base += UnZigZagBits<U>(static_cast<U>(number));
  Exceptions exceptions;
  if (head & kHasExceptions) {
    if (width == kBitsOf<U>) return false;
    if (!TakeExceptions(in, n, kBitsOf<U>, &exceptions)) return false;
  }
  if (!TakeBytes(in, PackedBytes(n, width), &bytes)) return false;
  GetResiduals(bytes, n, width, values);
  for (size_t e = 0; e < exceptions.count; ++e) {
    const U high = UnZigZagBits<U>(static_cast<U>(exceptions.highs[e]));
    values[exceptions.places[e]] += high << width;
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
  const Extremes<uint32_t> extremes(values, n);
  if (n < kLanes) return extremes.width();
  return std::min(extremes.width(), 1 + extremes.inner_width());
}
int EstimatePackedWidth(const uint64_t* values, size_t n) {
  const Narrowed narrowed(values, n);
  return narrowed.dropped + EstimatePackedWidth(narrowed.distances, n);
}

}  // namespace waterflow::storage
