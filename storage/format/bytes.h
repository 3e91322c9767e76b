// Bytes in and out: fixed and variable-length integers, and a reader that never
// leaves its bounds. Values on disk are little-endian, keys big-endian (so that
// they sort as numbers do).
#ifndef WATERFLOW_STORAGE_FORMAT_BYTES_H_
#define WATERFLOW_STORAGE_FORMAT_BYTES_H_

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/strings/string_view.h"

namespace waterflow::storage {

static_assert(std::endian::native == std::endian::little,
              "values are copied as they lie in memory");

template <typename T>
void AppendFixed(T value, std::string* out) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

template <typename T>
T LoadFixed(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

// LEB128, as protobuf's varints.
inline void AppendVarint(uint64_t value, std::string* out) {
  while (value >= 0x80) {
    out->push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out->push_back(static_cast<char>(value));
}

// Small magnitudes of either sign stay short.
inline uint64_t ZigZag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^
         static_cast<uint64_t>(value >> 63);
}
inline int64_t UnZigZag(uint64_t value) {
  return static_cast<int64_t>((value >> 1) ^ (~(value & 1) + 1));
}

inline void AppendString(absl::string_view text, std::string* out) {
  AppendVarint(text.size(), out);
  out->append(text.data(), text.size());
}

template <typename T>
void AppendBigEndian(T value, std::string* out) {
  for (int shift = 8 * (sizeof(T) - 1); shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>(value >> shift));
  }
}

// Reads from the front of a view. Once something was missing, ok() is false and
// every further read gives zeros.
class ByteReader {
 public:
  explicit ByteReader(absl::string_view bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  bool done() const { return ok_ && rest_.empty(); }
  absl::string_view rest() const { return rest_; }

  uint64_t Varint() {
    // Nearly all are one byte long.
    if (!rest_.empty() && static_cast<uint8_t>(rest_.front()) < 0x80) {
      const uint64_t value = static_cast<uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      return value;
    }
    return LongVarint();
  }
  // A varint that must fit; more is an error.
  uint32_t Varint32() {
    const uint64_t value = Varint();
    if (value > UINT32_MAX) {
      ok_ = false;
      rest_ = {};
      return 0;
    }
    return static_cast<uint32_t>(value);
  }
  int64_t SignedVarint() { return UnZigZag(Varint()); }

  absl::string_view Bytes(uint64_t count) {
    if (count > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const absl::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  absl::string_view String() { return Bytes(Varint()); }

  template <typename T>
  T Fixed() {
    const absl::string_view raw = Bytes(sizeof(T));
    return ok_ ? LoadFixed<T>(raw.data()) : T{};
  }
  template <typename T>
  T BigEndian() {
    const absl::string_view raw = Bytes(sizeof(T));
    T value = 0;
    for (const char c : raw) value = (value << 8) | static_cast<uint8_t>(c);
    return value;
  }

 private:
  uint64_t LongVarint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) break;
      const uint8_t byte = static_cast<uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      if (shift == 63 && byte > 1) break;  // beyond 64 bits
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    ok_ = false;
    rest_ = {};
    return 0;
  }

  absl::string_view rest_;
  bool ok_ = true;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_FORMAT_BYTES_H_
