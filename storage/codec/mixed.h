// Codec "mixed": a chunk with NaN or infinities among its values, as a run that
// diverges logs them. These few patterns go apart, so that what is finite is
// encoded as if they were not there: an integer stays one beside a NaN, and
// NaNs of two signs (0x7ff8..., 0xfff8...) cost a bit each and not a whole
// float.
//
//   payload  := stretches: varints, how many finite values, how many others,
//   and
//               so on in turn, until all n are named
//               pattern count u8 (1 to 16), the patterns: 8 bytes each
//               packed (packed.h) 32 bits: the pattern of each non-finite value
//               a chunk (chunk.h) of the finite values, if any; not mixed again
//
// Worst case: 8 n bytes; else another codec is taken.
#ifndef WATERFLOW_STORAGE_CODEC_MIXED_H_
#define WATERFLOW_STORAGE_CODEC_MIXED_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace waterflow::storage {

bool AllFinite(absl::Span<const double> values);

// A chunk's values, taken apart.
class Mixed {
 public:
  // None when there are too many patterns.
  static std::unique_ptr<Mixed> FromDoubles(absl::Span<const double> values);

  absl::Span<const double> finite() const { return finite_; }
  // Appends all but the chunk of the finite values.
  void AppendTo(std::string* out) const;

 private:
  std::vector<double> finite_;
  std::vector<size_t> stretches_;
  std::vector<uint64_t> patterns_;
  std::vector<uint32_t> places_;  // in patterns_, of each non-finite value
};

// What AppendTo() wrote, read back.
class MixedReader {
 public:
  // Takes it off the front of *in, for n values.
  absl::Status Take(absl::string_view* in, size_t n);
  size_t finite_count() const { return finite_count_; }
  // Puts the non-finite values between the finite ones, which out holds in its
  // first finite_count() places.
  void Merge(absl::Span<double> out) const;

 private:
  std::vector<size_t> stretches_;
  std::vector<double> patterns_;
  std::vector<uint32_t> places_;
  size_t finite_count_ = 0;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_CODEC_MIXED_H_
