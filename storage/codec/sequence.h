// Integers as they are or as differences, whichever a sample says takes fewer
// bits, packed. What codecs and int64 columns are made of.
//
//   sequence := head u8: order (0 or 1) + 2 x shift (0 to 63) + 128 x even
//               [first value: zigzag varint]                     order 1
//               even 0: packed (packed.h): n values, or n - 1 differences
//               even 1: the one that all of them are: zigzag varint
//
// All values are multiples of 2^shift and are divided by it first (by
// arithmetic shift): page counts, bfloat16. Arithmetic wraps.
// Worst case: 8 n + n / 11 + 24 bytes (4 n + n / 20 + 18 for 32 bits).
#ifndef WATERFLOW_STORAGE_CODEC_SEQUENCE_H_
#define WATERFLOW_STORAGE_CODEC_SEQUENCE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace waterflow::storage {

// Scratch memory that nobody fills first.
template <typename T>
std::unique_ptr<T[]> Scratch(size_t count) {
  return std::make_unique_for_overwrite<T[]>(count);
}

// Two's complement, at least one. Leaves anything in `values`.
void AppendSequence(uint32_t* values, size_t n, std::string* out);
void AppendSequence(uint64_t* values, size_t n, std::string* out);

// Takes n values off the front of *in. DATA_LOSS when they are not there.
absl::Status TakeSequence(absl::string_view* in, uint32_t* values, size_t n);
absl::Status TakeSequence(absl::string_view* in, uint64_t* values, size_t n);

// Values that are each the one before plus `difference`.
struct Progression {
  int64_t first = 0;
  int64_t difference = 0;

  // Wraps, as the values do.
  int64_t At(uint64_t i) const {
    return static_cast<int64_t>(static_cast<uint64_t>(first) +
                                i * static_cast<uint64_t>(difference));
  }
};

// What a whole sequence of 64 bits is, where its head says so; else nothing,
// though it may be one. Costs the same for any number of values.
std::optional<Progression> ProgressionOf(absl::string_view sequence);

// DATA_LOSS unless everything was taken.
absl::Status CheckNothingLeft(absl::string_view rest);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_CODEC_SEQUENCE_H_
