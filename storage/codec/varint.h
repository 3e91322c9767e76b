// LEB128 numbers inside codec payloads, and the sign in the lowest bit.
#ifndef WATERFLOW_STORAGE_CODEC_VARINT_H_
#define WATERFLOW_STORAGE_CODEC_VARINT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#include "absl/strings/string_view.h"

namespace waterflow::storage {

inline constexpr size_t kMaxVarintBytes = 10;

// The sign goes to the lowest bit: small magnitudes of either sign are small.
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

// Writes at most kMaxVarintBytes; returns where the next byte goes.
inline uint8_t* PutVarint(uint64_t value, uint8_t* to) {
  while (value >= 0x80) {
    *to++ = static_cast<uint8_t>(value | 0x80);
    value >>= 7;
  }
  *to++ = static_cast<uint8_t>(value);
  return to;
}

inline void AppendPayloadVarint(uint64_t value, std::string* out) {
  uint8_t bytes[kMaxVarintBytes];
  out->append(reinterpret_cast<const char*>(bytes),
              PutVarint(value, bytes) - bytes);
}

// Takes a varint off the front; false when there is none of 64 bits.
inline bool TakeVarint(absl::string_view* bytes, uint64_t* value) {
  *value = 0;
  for (size_t i = 0; i < kMaxVarintBytes && i < bytes->size(); ++i) {
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

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_CODEC_VARINT_H_
