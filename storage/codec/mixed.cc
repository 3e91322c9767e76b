#include "storage/codec/mixed.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "storage/codec/packed.h"
#include "storage/codec/varint.h"

namespace waterflow::storage {
namespace {

constexpr size_t kMaxPatterns = 16;

}  // namespace

bool AllFinite(absl::Span<const double> values) {
  // Zero times anything finite is zero, times anything else NaN. In sums that
  // do not wait for one another.
  using Pair = double __attribute__((vector_size(16)));
  constexpr size_t kPairs = 4;
  const size_t n = values.size();
  Pair zeros[kPairs] = {};
  size_t i = 0;
  for (; i + 2 * kPairs <= n; i += 2 * kPairs) {
    Pair loaded[kPairs];
    std::memcpy(loaded, values.data() + i, sizeof(loaded));
    for (size_t k = 0; k < kPairs; ++k) zeros[k] += 0.0 * loaded[k];
  }
  double rest = 0;
  for (; i < n; ++i) rest += 0.0 * values[i];
  const Pair all = (zeros[0] + zeros[1]) + (zeros[2] + zeros[3]);
  return all[0] + all[1] + rest == 0;
}

std::unique_ptr<Mixed> Mixed::FromDoubles(absl::Span<const double> values) {
  auto mixed = std::make_unique<Mixed>();
  bool finite = true;
  size_t stretch = 0;
  for (const double value : values) {
    if (std::isfinite(value) != finite) {
      mixed->stretches_.push_back(stretch);
      finite = !finite;
      stretch = 0;
    }
    ++stretch;
    if (finite) {
      mixed->finite_.push_back(value);
      continue;
    }
    std::vector<uint64_t>& patterns = mixed->patterns_;
    const auto bits = std::bit_cast<uint64_t>(value);
    const auto found = std::find(patterns.begin(), patterns.end(), bits);
    mixed->places_.push_back(static_cast<uint32_t>(found - patterns.begin()));
    if (found != patterns.end()) continue;
    if (patterns.size() == kMaxPatterns) return nullptr;
    patterns.push_back(bits);
  }
  mixed->stretches_.push_back(stretch);
  return mixed;
}

void Mixed::AppendTo(std::string* out) const {
  for (const size_t stretch : stretches_) AppendPayloadVarint(stretch, out);
  out->push_back(static_cast<char>(patterns_.size()));
  out->append(reinterpret_cast<const char*>(patterns_.data()),
              8 * patterns_.size());
  AppendPacked(places_.data(), places_.size(), out);
}

absl::Status MixedReader::Take(absl::string_view* in, size_t n) {
  finite_count_ = 0;
  bool finite = true;
  for (size_t named = 0; named < n; finite = !finite) {
    uint64_t stretch = 0;
    // Only the first may be empty, so that there are at most n + 1.
    if (!TakeVarint(in, &stretch) || stretch > n - named ||
        (stretch == 0 && !stretches_.empty())) {
      return absl::DataLossError("the stretches are malformed");
    }
    stretches_.push_back(stretch);
    named += stretch;
    if (finite) finite_count_ += stretch;
  }
  const size_t count = in->empty() ? 0 : static_cast<uint8_t>(in->front());
  if (count < 1 || count > kMaxPatterns || in->size() < 1 + 8 * count) {
    return absl::DataLossError(
        absl::StrCat(count, " patterns, expected 1 to ", kMaxPatterns));
  }
  patterns_.resize(count);
  std::memcpy(patterns_.data(), in->data() + 1, 8 * count);
  in->remove_prefix(1 + 8 * count);
  places_.resize(n - finite_count_);
  if (!TakePacked(in, places_.data(), places_.size())) {
    return absl::DataLossError("the patterns' places are malformed");
  }
  for (const uint32_t place : places_) {
    if (place >= count) {
      return absl::DataLossError(
          absl::StrCat("pattern ", place, " of ", count));
    }
  }
  return absl::OkStatus();
}

void MixedReader::Merge(absl::Span<double> out) const {
  // From the back, so that nothing is overwritten before it has moved.
  size_t to = out.size();
  size_t from = finite_count_;
  size_t place = places_.size();
  for (size_t s = stretches_.size(); s-- > 0;) {
    const size_t count = stretches_[s];
    to -= count;
    if (s % 2 == 0) {
      from -= count;
      std::memmove(out.data() + to, out.data() + from, 8 * count);
    } else {
      for (size_t i = count; i-- > 0;)
        out[to + i] = patterns_[places_[--place]];
    }
  }
}

}  // namespace waterflow::storage
