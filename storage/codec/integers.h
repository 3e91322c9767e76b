// Codec "integers": values that are integers times a power of two: counters,
// bytes, percentages, shares of a batch (m / 128), and what differences of a
// binary clock leave.
//
//   payload := scale i8, sequence (sequence.h) of 64 bits: value x 2^scale
//
// Doubles are taken when each is such an integer of at most 2^53 and none is
// -0.0, so that the way back is exact.
// Worst case: that of the sequence and a byte.
#ifndef WATERFLOW_STORAGE_CODEC_INTEGERS_H_
#define WATERFLOW_STORAGE_CODEC_INTEGERS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace waterflow::storage {

// Where a scale makes no integer of a value, its index; n if everywhere.
size_t ToIntegers(absl::Span<const double> values, int scale,
                  uint64_t* integers);

inline constexpr int kMinScale = 0;
inline constexpr int kMaxScale = 100;

// Integers that ToIntegers() gave. Leaves anything in them.
void AppendIntegers(uint64_t* integers, size_t n, int scale, std::string* out);
absl::Status DecodeIntegers(absl::string_view payload, absl::Span<double> out);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_CODEC_INTEGERS_H_
