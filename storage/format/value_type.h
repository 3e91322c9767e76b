// The types that a column's values may have on the wire, and what they become:
// float64, bit for bit.
#ifndef WATERFLOW_STORAGE_FORMAT_VALUE_TYPE_H_
#define WATERFLOW_STORAGE_FORMAT_VALUE_TYPE_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace waterflow::storage {

// Numbers as in ingest.proto.
enum class ValueType : uint8_t {
  kFloat64 = 1,
  kFloat32 = 2,
  kInt64 = 3,
  kFloat16 = 4,   // IEEE 754 binary16
  kBFloat16 = 5,  // the upper half of a float32
};
inline constexpr ValueType kLastValueType = ValueType::kBFloat16;

constexpr size_t ValueBytes(ValueType type) {
  switch (type) {
    case ValueType::kFloat16:
    case ValueType::kBFloat16:
      return 2;
    case ValueType::kFloat32:
      return 4;
    case ValueType::kFloat64:
    case ValueType::kInt64:
      return 8;
  }
  return 8;
}

// Widens values, little-endian ones, bit for bit: NaN payloads and the
// signalling bit survive.
void WidenValues(ValueType type, absl::string_view values, double* out);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_FORMAT_VALUE_TYPE_H_
