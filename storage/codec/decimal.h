// Codec "decimal": values that somebody wrote, rounded or counted in decimal
// (ALP: Afroozeh and Boncz, SIGMOD 2024): 36.6 is 366 / 10. And its kin that
// ALP does not know, differences of two readings of a decimal clock
// (time.perf_counter() of Python): each reading is a rounded number of
// nanoseconds, so that their difference lies on the binary grid of the larger
// one, one or two steps of the grid beside a number of nanoseconds. That number
// and the steps take half the bits of the difference.
//
//   payload := exponent u8, sequence (sequence.h) of 64 bits: digits
//   value   := digits / 10^exponent
//
//   clock payload := exponent u8, scale u8,
//                    sequence of 64 bits: digits,
//                    packed (packed.h) 32 bits: steps
//   value   := (round(digits x (2^scale / 10^exponent)) + steps) / 2^scale
//
// In float64 arithmetic, each operation rounded by itself (to nearest, ties to
// even; the quotient in brackets is one operation); |digits| and the rounded
// product are at most 2^53. Encoding checks that every value comes back.
// Worst case: that of the sequence, plus 2 bytes, plus 4 n + 6 bytes a group.
#ifndef WATERFLOW_STORAGE_CODEC_DECIMAL_H_
#define WATERFLOW_STORAGE_CODEC_DECIMAL_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace waterflow::storage {

inline constexpr int kMaxDecimalExponent = 18;
inline constexpr int kMaxClockScale = 64;

// The index of the first value that is no decimal of this exponent; n if all
// are.
size_t ToDecimals(absl::Span<const double> values, int exponent,
                  uint64_t* digits);
// The same for a clock's differences.
size_t ToClock(absl::Span<const double> values, int exponent, int scale,
               uint64_t* digits, uint32_t* steps);

// What the above gave. Leaves anything in it.
void AppendDecimal(uint64_t* digits, size_t n, int exponent, std::string* out);
void AppendClock(uint64_t* digits, const uint32_t* steps, size_t n,
                 int exponent, int scale, std::string* out);

absl::Status DecodeDecimal(absl::string_view payload, absl::Span<double> out);
absl::Status DecodeClock(absl::string_view payload, absl::Span<double> out);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_CODEC_DECIMAL_H_
