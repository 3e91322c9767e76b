// Plain loops, compiled with -O3 (storage/codec/CMakeLists.txt) so that the
// compiler makes vector instructions of them.
#include "storage/codec/planes.h"

#include <cstring>

namespace waterflow::storage {
namespace {

template <typename U>
void ShuffleLoop(const U* values, size_t n, int width, uint8_t* planes) {
  for (int k = 0; k < width; ++k) {
    uint8_t* const plane = planes + k * n;
    const int shift = 8 * k;
    for (size_t i = 0; i < n; ++i) {
      plane[i] = static_cast<uint8_t>(values[i] >> shift);
    }
  }
}

template <typename U>
void UnshuffleLoop(const uint8_t* planes, size_t n, int width, U* values) {
  std::memset(values, 0, n * sizeof(U));
  for (int k = 0; k < width; ++k) {
    const uint8_t* const plane = planes + k * n;
    const int shift = 8 * k;
    for (size_t i = 0; i < n; ++i) {
      values[i] |= static_cast<U>(plane[i]) << shift;
    }
  }
}

template <typename U>
void OrderedDeltasLoop(const U* bits, size_t n, U* deltas) {
  if (n == 0) return;
  deltas[0] = ZigZagBits<U>(Ordered<U>(bits[0]));
  for (size_t i = 1; i < n; ++i) {
    deltas[i] = ZigZagBits<U>(Ordered<U>(bits[i]) - Ordered<U>(bits[i - 1]));
  }
}

template <typename U>
void FromOrderedDeltasLoop(U* values, size_t n) {
  U sum = 0;
  for (size_t i = 0; i < n; ++i) {
    sum += UnZigZagBits<U>(values[i]);
    values[i] = Ordered<U>(sum);
  }
}

}  // namespace

void Shuffle(const uint32_t* values, size_t n, int width, uint8_t* planes) {
  ShuffleLoop(values, n, width, planes);
}
void Shuffle(const uint64_t* values, size_t n, int width, uint8_t* planes) {
  ShuffleLoop(values, n, width, planes);
}
void Unshuffle(const uint8_t* planes, size_t n, int width, uint32_t* values) {
  UnshuffleLoop(planes, n, width, values);
}
void Unshuffle(const uint8_t* planes, size_t n, int width, uint64_t* values) {
  UnshuffleLoop(planes, n, width, values);
}
void OrderedDeltas(const uint32_t* bits, size_t n, uint32_t* deltas) {
  OrderedDeltasLoop(bits, n, deltas);
}
void OrderedDeltas(const uint64_t* bits, size_t n, uint64_t* deltas) {
  OrderedDeltasLoop(bits, n, deltas);
}
void FromOrderedDeltas(uint32_t* values, size_t n) {
  FromOrderedDeltasLoop(values, n);
}
void FromOrderedDeltas(uint64_t* values, size_t n) {
  FromOrderedDeltasLoop(values, n);
}

}  // namespace waterflow::storage
