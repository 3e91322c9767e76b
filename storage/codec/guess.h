// Which codec a chunk's values look made for, from a sample of them: nothing is
// encoded to find out. A guess may be wrong; who encodes learns by a value that
// does not fit, adds it to the sample and guesses again.
#ifndef WATERFLOW_STORAGE_CODEC_GUESS_H_
#define WATERFLOW_STORAGE_CODEC_GUESS_H_

#include <array>
#include <cstddef>

#include "absl/types/span.h"

namespace waterflow::storage {

enum class Kind { kIntegers, kFloat32, kDecimal, kClock, kFloat64 };

struct Guess {
  Kind kind = Kind::kFloat64;
  int scale = 0;     // kIntegers, kClock
  int exponent = 0;  // kDecimal, kClock
};

class Sample {
 public:
  explicit Sample(absl::Span<const double> values);
  // False when no more will be looked at.
  bool Add(double value);
  Guess Look() const;

 private:
  static constexpr size_t kValues = 12;
  static constexpr size_t kMoreValues = 4;

  absl::Span<const double> values() const {
    return absl::MakeConstSpan(values_).first(count_);
  }
  // The decimal exponent that fits all; -1 if none does.
  int FindExponent() const;
  // A clock's exponent that fits all values of this scale; -1 if none does.
  int FindClock(int scale) const;

  std::array<double, kValues + kMoreValues> values_;
  size_t count_ = 0;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_CODEC_GUESS_H_
