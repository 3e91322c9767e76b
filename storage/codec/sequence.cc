// Plain loops, compiled with -O3 (storage/codec/CMakeLists.txt).
#include "storage/codec/sequence.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/codec/bits.h"
#include "storage/codec/packed.h"
#include "storage/codec/varint.h"

namespace waterflow::storage {
namespace {

constexpr uint8_t kDifferences = 1;
constexpr uint8_t kEven = 0x80;

// Looks at a group in the middle, or at a third and at two thirds of the
// values.
template <typename U>
bool DifferencesAreSmaller(const U* values, size_t n) {
  int widths = 0;
  int difference_widths = 0;
  const size_t size = std::min(n - 1, kGroupValues);
  const size_t samples = n > 4 * kGroupValues ? 2 : 1;
  for (size_t s = 1; s <= samples; ++s) {
    const U* const from = values + 1 + (n - 1 - size) * s / (samples + 1);
    const U* const before = from - 1;
    U differences[kGroupValues];
    for (size_t i = 0; i < size; ++i) differences[i] = from[i] - before[i];
    widths += EstimatePackedWidth(from, size);
    difference_widths += EstimatePackedWidth(differences, size);
  }
  return difference_widths < widths;
}

// How many zero bits all values end with.
template <typename U>
int CommonShift(const U* values, size_t n) {
  U any = 0;
  for (size_t i = 0; i < n; ++i) any |= values[i];
  return any == 0 ? 0 : std::countr_zero(any);
}

template <typename U>
bool AllEqual(const U* values, size_t n) {
  return std::memcmp(values, values + 1, (n - 1) * sizeof(U)) == 0;
}

template <typename U>
void AppendBody(uint8_t head, const U* first, const U* values, size_t n,
                std::string* out) {
  const bool even = AllEqual(values, n);
  out->push_back(static_cast<char>(head | (even ? kEven : 0)));
  if (first != nullptr) AppendPayloadVarint(ZigZagBits<U>(*first), out);
  if (even) {
    AppendPayloadVarint(ZigZagBits<U>(values[0]), out);
  } else {
    AppendPacked(values, n, out);
  }
}

template <typename U>
void Append(U* values, size_t n, std::string* out) {
  using S = std::make_signed_t<U>;
  const int shift = CommonShift(values, n);
  if (shift > 0) {
    for (size_t i = 0; i < n; ++i) {
      values[i] = static_cast<U>(static_cast<S>(values[i]) >> shift);
    }
  }
  const auto head = static_cast<uint8_t>(2 * shift);
  if (n == 1 || !DifferencesAreSmaller(values, n)) {
    AppendBody<U>(head, nullptr, values, n, out);
    return;
  }
  const auto differences = Scratch<U>(n - 1);
  for (size_t i = 1; i < n; ++i) differences[i - 1] = values[i] - values[i - 1];
  AppendBody<U>(head | kDifferences, values, differences.get(), n - 1, out);
}

template <typename U>
absl::Status Take(absl::string_view* in, U* values, size_t n) {
  if (in->empty()) return absl::DataLossError("the sequence is missing");
  const uint8_t head = static_cast<uint8_t>(in->front());
  in->remove_prefix(1);
  const size_t order = head & kDifferences;
  const int shift = (head & ~kEven) / 2;
  if (shift >= static_cast<int>(8 * sizeof(U))) {
    return absl::DataLossError(absl::StrCat("a shift of ", shift, " bits"));
  }
  uint64_t number = 0;
  if (order == 1) {
    if (!TakeVarint(in, &number)) {
      return absl::DataLossError("the first value is cut short");
    }
    values[0] = UnZigZagBits<U>(static_cast<U>(number));
  }
  if (head & kEven) {
    if (!TakeVarint(in, &number)) {
      return absl::DataLossError("the value of all is cut short");
    }
    std::fill(values + order, values + n,
              UnZigZagBits<U>(static_cast<U>(number)));
  } else if (!TakePacked(in, values + order, n - order)) {
    return absl::DataLossError("packed integers are cut short or malformed");
  }
  if (order == 1) {
    U sum = values[0];
    for (size_t i = 1; i < n; ++i) values[i] = sum += values[i];
  }
  if (shift > 0) {
    for (size_t i = 0; i < n; ++i) values[i] <<= shift;
  }
  return absl::OkStatus();
}

}  // namespace

void AppendSequence(uint32_t* values, size_t n, std::string* out) {
  Append(values, n, out);
}
void AppendSequence(uint64_t* values, size_t n, std::string* out) {
  Append(values, n, out);
}
absl::Status TakeSequence(absl::string_view* in, uint32_t* values, size_t n) {
  return Take(in, values, n);
}
absl::Status TakeSequence(absl::string_view* in, uint64_t* values, size_t n) {
  return Take(in, values, n);
}

std::optional<Progression> ProgressionOf(absl::string_view sequence) {
  if (sequence.empty()) return std::nullopt;
  const uint8_t head = static_cast<uint8_t>(sequence.front());
  sequence.remove_prefix(1);
  const int shift = (head & ~kEven) / 2;
  uint64_t first = 0;
  uint64_t difference = 0;
  if (!(head & kEven) || shift >= 64 ||
      ((head & kDifferences) && !TakeVarint(&sequence, &first)) ||
      !TakeVarint(&sequence, &difference) || !sequence.empty()) {
    return std::nullopt;
  }
  // Without an order it is the value itself that is the same for all.
  if (!(head & kDifferences)) std::swap(first, difference);
  const auto value = [shift](uint64_t zigzag) {
    return static_cast<int64_t>(UnZigZagBits(zigzag) << shift);
  };
  return Progression{value(first), value(difference)};
}

absl::Status CheckNothingLeft(absl::string_view rest) {
  if (rest.empty()) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(rest.size(), " bytes left over behind the values"));
}

}  // namespace waterflow::storage
