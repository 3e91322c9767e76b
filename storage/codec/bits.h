// Bit packing: integers of up to 64 bits at the width that they need.
//
// A full group is 128 values of up to 32 bits, laid out for vector registers
// (Lemire and Boytsov, "Decoding billions of integers per second through
// vectorization", 2015): value i belongs to lane i % 4; each lane is a stream
// of 32-bit words, lowest bits first, and word j of lane l lies at 4 (4 j + l).
// 128 values of w bits so take 16 w bytes.
// Any other number of values is one stream: value i has bits [i w, (i + 1) w)
// of the bytes, lowest first.
#ifndef WATERFLOW_STORAGE_CODEC_BITS_H_
#define WATERFLOW_STORAGE_CODEC_BITS_H_

#include <cstddef>
#include <cstdint>

namespace waterflow::storage {

inline constexpr size_t kGroupValues = 128;

inline constexpr size_t PackedBytes(size_t n, int width) {
  return (n * static_cast<size_t>(width) + 7) / 8;
}

// A full group; `width` is 0 to 32, higher bits of the values must be 0.
void PackGroup(const uint32_t* values, int width, uint8_t* out);
void UnpackGroup(const uint8_t* in, int width, uint32_t* values);

// At most kGroupValues values of 0 to 64 bits. PackStream writes up to 8 bytes
// behind PackedBytes(); UnpackStream reads none.
void PackStream(const uint64_t* values, size_t n, int width, uint8_t* out);
void UnpackStream(const uint8_t* in, size_t n, int width, uint64_t* values);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_CODEC_BITS_H_
