#include "storage/codec/bits.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace waterflow::storage {
namespace {

// Four lanes: what every x86-64 and every arm64 has in one register.
using Lanes = uint32_t __attribute__((vector_size(16)));
constexpr int kRows = kGroupValues / 4;
constexpr int kMaxWidth = 32;

Lanes Load(const void* from, int row) {
  Lanes lanes;
  std::memcpy(&lanes, static_cast<const char*>(from) + 16 * row, 16);
  return lanes;
}

void Store(Lanes lanes, void* to, int row) {
  std::memcpy(static_cast<char*>(to) + 16 * row, &lanes, 16);
}

// Each row of a width is its own code, so that all shifts are constants.
template <int kWidth, int kRow>
inline void UnpackRow(const uint8_t* in, uint32_t* values) {
  constexpr int kBit = kRow * kWidth;
  constexpr int kShift = kBit % 32;
  constexpr uint32_t kMask = kWidth == 32 ? ~0u : (1u << kWidth % 32) - 1;
  Lanes lanes = Load(in, kBit / 32) >> kShift;
  if constexpr (kShift + kWidth > 32) {
    lanes |= Load(in, kBit / 32 + 1) << (32 - kShift);
  }
  Store(lanes & kMask, values, kRow);
}

template <int kWidth, int kRow>
inline void PackRow(const uint32_t* values, Lanes* word, uint8_t* out) {
  constexpr int kBit = kRow * kWidth;
  constexpr int kShift = kBit % 32;
  const Lanes lanes = Load(values, kRow);
  *word |= lanes << kShift;
  if constexpr (kShift + kWidth >= 32) {
    Store(*word, out, kBit / 32);
    if constexpr (kShift + kWidth > 32) {
      *word = lanes >> (32 - kShift);
    } else {
      *word = Lanes{};
    }
  }
}

template <int kWidth, int... kRow>
void UnpackRows(const uint8_t* in, uint32_t* values,
                std::integer_sequence<int, kRow...>) {
  (UnpackRow<kWidth, kRow>(in, values), ...);
}

template <int kWidth, int... kRow>
void PackRows(const uint32_t* values, uint8_t* out,
              std::integer_sequence<int, kRow...>) {
  Lanes word{};
  (PackRow<kWidth, kRow>(values, &word, out), ...);
}

template <int kWidth>
void Unpack(const uint8_t* in, uint32_t* values) {
  if constexpr (kWidth == 0) {
    std::fill_n(values, kGroupValues, 0);
  } else {
    UnpackRows<kWidth>(in, values, std::make_integer_sequence<int, kRows>{});
  }
}

template <int kWidth>
void Pack(const uint32_t* values, uint8_t* out) {
  if constexpr (kWidth > 0) {
    PackRows<kWidth>(values, out, std::make_integer_sequence<int, kRows>{});
  }
}

using UnpackFunction = void (*)(const uint8_t*, uint32_t*);
using PackFunction = void (*)(const uint32_t*, uint8_t*);

template <int... kWidth>
constexpr std::array<UnpackFunction, kMaxWidth + 1> Unpackers(
    std::integer_sequence<int, kWidth...>) {
  return {Unpack<kWidth>...};
}
template <int... kWidth>
constexpr std::array<PackFunction, kMaxWidth + 1> Packers(
    std::integer_sequence<int, kWidth...>) {
  return {Pack<kWidth>...};
}

using Widths = std::make_integer_sequence<int, kMaxWidth + 1>;
constexpr auto kUnpackers = Unpackers(Widths{});
constexpr auto kPackers = Packers(Widths{});

}  // namespace

void PackGroup(const uint32_t* values, int width, uint8_t* out) {
  kPackers[width](values, out);
}

void UnpackGroup(const uint8_t* in, int width, uint32_t* values) {
  kUnpackers[width](in, values);
}

void PackStream(const uint64_t* values, size_t n, int width, uint8_t* out) {
  uint64_t word = 0;
  int filled = 0;
  for (size_t i = 0; i < n; ++i) {
    word |= values[i] << filled;
    if (filled + width < 64) {
      filled += width;
      continue;
    }
    std::memcpy(out, &word, sizeof(word));
    out += sizeof(word);
    word = filled == 0 ? 0 : values[i] >> (64 - filled);
    filled += width - 64;
    if (filled == 0) word = 0;
  }
  std::memcpy(out, &word, sizeof(word));
}

void UnpackStream(const uint8_t* in, size_t n, int width, uint64_t* values) {
  if (width == 0) {
    std::fill_n(values, n, 0);
    return;
  }
  const uint64_t mask = width == 64 ? ~0ull : (1ull << width) - 1;
  // With room for a whole word behind the last value.
  uint8_t bytes[8 * kGroupValues + 16];
  const size_t size = PackedBytes(n, width);
  std::memcpy(bytes, in, size);
  std::memset(bytes + size, 0, 16);
  for (size_t i = 0; i < n; ++i) {
    const size_t bit = i * static_cast<size_t>(width);
    const int shift = static_cast<int>(bit % 8);
    uint64_t word;
    std::memcpy(&word, bytes + bit / 8, sizeof(word));
    word >>= shift;
    if (shift + width > 64) {
      word |= static_cast<uint64_t>(bytes[bit / 8 + 8]) << (64 - shift);
    }
    values[i] = word & mask;
  }
}

}  // namespace waterflow::storage
