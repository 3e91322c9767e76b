#include "storage/codec/float64.h"

#include <bit>

#include "storage/codec/ordered.h"
#include "storage/codec/sequence.h"

namespace waterflow::storage {

void AppendFloat64(absl::Span<const double> values, std::string* out) {
  const size_t n = values.size();
  const auto bits = Scratch<uint64_t>(n);
  for (size_t i = 0; i < n; ++i) {
    bits[i] = Ordered(std::bit_cast<uint64_t>(values[i]));
  }
  AppendSequence(bits.get(), n, out);
}

absl::Status DecodeFloat64(absl::string_view payload, absl::Span<double> out) {
  const size_t n = out.size();
  const auto bits = Scratch<uint64_t>(n);
  absl::Status s = TakeSequence(&payload, bits.get(), n);
  if (s.ok()) s = CheckNothingLeft(payload);
  if (!s.ok()) return s;
  for (size_t i = 0; i < n; ++i) {
    out[i] = std::bit_cast<double>(Ordered(bits[i]));
  }
  return absl::OkStatus();
}

}  // namespace waterflow::storage
