// Codec "float32": every value is a float32 that was widened, as most of what a
// training framework logs. Noise costs the bits that it spans, not all 32, and
// of bfloat16 only the upper half is left.
//
//   payload := sequence (sequence.h) of 32 bits: the ordered bits (ordered.h)
//              of the float32s
//
// Worst case: that of the sequence.
#ifndef WATERFLOW_STORAGE_CODEC_FLOAT32_H_
#define WATERFLOW_STORAGE_CODEC_FLOAT32_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace waterflow::storage {

// Widening and narrowing go by bits where the value is NaN: the processor's
// conversion makes signalling NaNs quiet. The floats need not be aligned.
void WidenFloat32s(const void* floats, size_t n, double* out);
// The index of the first value that is no float32 (not all of its bits would
// come back); n if all are.
size_t NarrowToFloat32s(const double* values, size_t n, uint32_t* bits);

// The values of a chunk as float32s.
class Float32s {
 public:
  static Float32s FromDoubles(absl::Span<const double> values);

  // The index of a value that is none, or the number of values.
  size_t fitting() const { return fitting_; }
  // Once, when all of them are.
  void AppendTo(std::string* out) &&;

 private:
  std::unique_ptr<uint32_t[]> bits_;
  size_t fitting_ = 0;
};

absl::Status DecodeFloat32(absl::string_view payload, absl::Span<double> out);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_CODEC_FLOAT32_H_
