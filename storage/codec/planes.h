// Byte shuffle: byte k of every value goes to plane k (F. Alted's Blosc; HDF5's
// shuffle filter). The high bytes of neighbouring values are much alike, which
// zstd finds when they lie side by side.
//
//   planes := n bytes 0, n bytes 1 ... (byte 0 is the lowest)
//
// Also the two steps before it that make neighbours alike: floats as integers
// that sort as they do, and differences with their sign in the lowest bit.
#ifndef WATERFLOW_STORAGE_CODEC_PLANES_H_
#define WATERFLOW_STORAGE_CODEC_PLANES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace waterflow::storage {

// Scratch memory that nobody fills first.
template <typename T>
std::unique_ptr<T[]> Scratch(size_t count) {
  return std::make_unique_for_overwrite<T[]>(count);
}

// The lower `width` bytes of n values, plane by plane, to planes[0, width * n).
void Shuffle(const uint32_t* values, size_t n, int width, uint8_t* planes);
void Shuffle(const uint64_t* values, size_t n, int width, uint8_t* planes);
// The inverse; bytes above `width` become 0.
void Unshuffle(const uint8_t* planes, size_t n, int width, uint32_t* values);
void Unshuffle(const uint8_t* planes, size_t n, int width, uint64_t* values);

// Maps the bits of a float (any width, U is its unsigned twin) to a two's
// complement integer of the same order, -NaN to +NaN; its own inverse.
template <typename U>
constexpr U Ordered(U bits) {
  using S = std::make_signed_t<U>;
  constexpr int kSign = 8 * sizeof(U) - 1;
  return bits ^ (static_cast<U>(static_cast<S>(bits) >> kSign) >> 1);
}

template <typename U>
constexpr U ZigZagBits(U value) {
  using S = std::make_signed_t<U>;
  return (value << 1) ^
         static_cast<U>(static_cast<S>(value) >> (8 * sizeof(U) - 1));
}
template <typename U>
constexpr U UnZigZagBits(U value) {
  return (value >> 1) ^ (~(value & 1) + 1);
}

// Bits of n floats to zigzag differences of their Ordered() form, the first one
// from 0; all arithmetic wraps, so every pattern comes back.
void OrderedDeltas(const uint32_t* bits, size_t n, uint32_t* deltas);
void OrderedDeltas(const uint64_t* bits, size_t n, uint64_t* deltas);
// The inverse, in place.
void FromOrderedDeltas(uint32_t* values, size_t n);
void FromOrderedDeltas(uint64_t* values, size_t n);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_CODEC_PLANES_H_
