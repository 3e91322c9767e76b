// Codec "integers": frame of reference (Goldstein, Ramakrishnan, Shaft 1998),
// over the values, their differences or the differences of these, whichever
// spans fewest bytes. Counters, steps, time stamps; a constant step takes no
// bytes beyond the header.
//
//   payload := header (1 byte): order + 16 x width
//              first values, `order` of them: zigzag varint each
//              base: zigzag varint
//              width > 0: compressed (compress.h) planes (planes.h) of `width`
//              bytes: residuals above the base, n - order of them
//   order   := 0 values | 1 differences | 2 differences of differences
//   width   := 0 to 8 bytes
//
// All arithmetic wraps in 64 bits, so any int64 comes back. Doubles are taken
// when each is an integer of at most 2^53 and none is -0.0.
// Worst case: 8 n + 32 bytes.
#ifndef WATERFLOW_STORAGE_CODEC_INTEGERS_H_
#define WATERFLOW_STORAGE_CODEC_INTEGERS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace waterflow::storage {

class Integers {
 public:
  static Integers FromInt64s(absl::Span<const int64_t> values);
  // found() is false when a value is no such integer.
  static Integers FromDoubles(absl::Span<const double> values);

  bool found() const { return values_ != nullptr; }
  // Bytes a value before compression.
  int width() const { return width_; }
  void AppendTo(std::string* out) const;

 private:
  // Finds order, base and width of values_.
  void Choose();

  std::unique_ptr<uint64_t[]> values_;
  size_t count_ = 0;
  size_t order_ = 0;
  uint64_t base_ = 0;
  int width_ = 0;
};

absl::Status DecodeIntegers(absl::string_view payload, absl::Span<int64_t> out);
absl::Status DecodeIntegers(absl::string_view payload, absl::Span<double> out);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_CODEC_INTEGERS_H_
