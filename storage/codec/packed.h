// Patched frame of reference (Goldstein, Ramakrishnan, Shaft 1998; patches:
// Zukowski et al., ICDE 2006): integers in groups of 128, each above a base of
// its own at a bit width of its own, with the few that are far off kept apart.
// All other codecs are a map to integers in front of this.
//
//   packed := group per 128 integers, the last may have fewer
//   group  := head u8: width (0 to 64; 0 to 32 of 32-bit integers)
//                      + 128 if there are exceptions
//             base: zigzag varint, above the base of the group before (first:
//             0) [exception count - 1 u8, high width u8, a stream of their
//             places (7 bits each), a stream of their high parts (high width
//             bits each, zigzag)]
//             residuals of `width` bits (bits.h): a full group of up to 32 bits
//             in lanes; a full one of more in lanes twice, first the low 32
//             bits, then the others; a shorter group as a stream
//   value  := base + residual + high part << width
//
// Arithmetic wraps at the width of the integer, 32 or 64 bits.
// Worst case: 8 n bytes and 11 a group (4 n and 6 for 32 bits).
#ifndef WATERFLOW_STORAGE_CODEC_PACKED_H_
#define WATERFLOW_STORAGE_CODEC_PACKED_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace waterflow::storage {

// Integers in two's complement; n may be 0.
void AppendPacked(const uint32_t* values, size_t n, std::string* out);
void AppendPacked(const uint64_t* values, size_t n, std::string* out);

// Takes n integers off the front of *in; false when they are not there.
bool TakePacked(absl::string_view* in, uint32_t* values, size_t n);
bool TakePacked(absl::string_view* in, uint64_t* values, size_t n);

// About how many bits a value of at most kGroupValues would take.
int EstimatePackedWidth(const uint32_t* values, size_t n);
int EstimatePackedWidth(const uint64_t* values, size_t n);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_CODEC_PACKED_H_
