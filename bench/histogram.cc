#include "bench/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace waterflow::bench {
namespace {

// Each power of two is split into 2^7 buckets of equal width; values below
// 2^7 have a bucket each.
constexpr int kBits = 7;
constexpr uint64_t kPerOctave = uint64_t{1} << kBits;
constexpr size_t kBuckets = (64 - kBits + 1) * kPerOctave;

}  // namespace

Histogram::Histogram() : buckets_(kBuckets) {}

size_t Histogram::BucketOf(uint64_t value) {
  if (value < kPerOctave) return value;
  const int shift = std::bit_width(value) - 1 - kBits;
  return shift * kPerOctave + (value >> shift);
}

uint64_t Histogram::UpperBound(size_t bucket) {
  if (bucket < kPerOctave) return bucket;
  const int shift = static_cast<int>(bucket / kPerOctave) - 1;
  const uint64_t lead = bucket - shift * kPerOctave;
  // Of the last bucket this wraps around to the largest number, as it should.
  return ((lead + 1) << shift) - 1;
}

void Histogram::Add(uint64_t value) {
  ++buckets_[BucketOf(value)];
  ++count_;
  max_ = std::max(max_, value);
}

void Histogram::Merge(const Histogram& other) {
  for (size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

uint64_t Histogram::Percentile(double fraction) const {
  const auto wanted =
      static_cast<uint64_t>(std::ceil(fraction * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= wanted && seen > 0) return std::min(UpperBound(i), max_);
  }
  return max_;
}

}  // namespace waterflow::bench
