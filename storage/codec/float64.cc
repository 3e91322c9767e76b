#include "storage/codec/float64.h"

#include <bit>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "storage/codec/compress.h"
#include "storage/codec/planes.h"

namespace waterflow::storage {
namespace {

constexpr int kWidth = sizeof(uint64_t);

enum Form : uint8_t { kBits = 0, kDeltas = 1 };

// Differences spread the noise of two values over one, so they must gain a
// twentieth to be worth it.
bool DeltasAreSmaller(const uint64_t* bits, const uint64_t* deltas, size_t n) {
  const uint64_t middle = Ordered(bits[n / 2]);
  uint64_t distance_bits = 0;
  uint64_t delta_bits = 0;
  for (size_t i = 1; i < n; ++i) {
    distance_bits += std::bit_width(ZigZagBits(Ordered(bits[i]) - middle));
    delta_bits += std::bit_width(deltas[i]);
  }
  return 20 * delta_bits < 19 * distance_bits;
}

}  // namespace

void AppendFloat64(absl::Span<const double> values, std::string* out) {
  const size_t n = values.size();
  const auto bits = Scratch<uint64_t>(n);
  const auto deltas = Scratch<uint64_t>(n);
  const auto planes = Scratch<uint8_t>(kWidth * n);
  std::memcpy(bits.get(), values.data(), kWidth * n);
  OrderedDeltas(bits.get(), n, deltas.get());
  const bool use_deltas = DeltasAreSmaller(bits.get(), deltas.get(), n);
  out->push_back(use_deltas ? kDeltas : kBits);
  Shuffle(use_deltas ? deltas.get() : bits.get(), n, kWidth, planes.get());
  AppendCompressed(planes.get(), kWidth * n, out);
}

absl::Status DecodeFloat64(absl::string_view payload, absl::Span<double> out) {
  if (payload.empty()) return absl::DataLossError("the form is missing");
  const uint8_t form = static_cast<uint8_t>(payload.front());
  if (form != kBits && form != kDeltas) {
    return absl::DataLossError(absl::StrCat("unknown form ", form));
  }
  const size_t n = out.size();
  const auto planes = Scratch<uint8_t>(kWidth * n);
  absl::Status s = Decompress(payload.substr(1), planes.get(), kWidth * n);
  if (!s.ok()) return s;
  const auto bits = Scratch<uint64_t>(n);
  Unshuffle(planes.get(), n, kWidth, bits.get());
  if (form == kDeltas) FromOrderedDeltas(bits.get(), n);
  std::memcpy(out.data(), bits.get(), kWidth * n);
  return absl::OkStatus();
}

}  // namespace waterflow::storage
