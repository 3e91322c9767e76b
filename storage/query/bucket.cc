#include "storage/query/bucket.h"

#include <algorithm>
#include <cassert>

#include "storage/query/accumulator.h"

namespace waterflow::storage {

BucketCutter::BucketCutter(Interval span, uint32_t max_points) {
  assert(span.first <= span.last && max_points >= 1);
  const auto buckets_less_one = [&] {
    return static_cast<uint64_t>(span.last >> shift_) -
           static_cast<uint64_t>(span.first >> shift_);
  };
  while (shift_ < 63 && buckets_less_one() >= max_points) ++shift_;
  all_ = buckets_less_one() >= max_points;
}

Stretch BucketCutter::Next(absl::Span<const int64_t> positions,
                           size_t begin) const {
  if (all_) return {begin, positions.size(), 0};
  const int64_t bucket = positions[begin] >> shift_;
  // The last position of the bucket: all its low bits are set.
  const auto low_bits = static_cast<int64_t>((uint64_t{1} << shift_) - 1);
  const int64_t last = positions[begin] | low_bits;
  // Strides that double, then a search within the last of them: buckets hold
  // some points or thousands.
  size_t from = begin + 1;
  size_t to = from;
  for (size_t stride = 1; to < positions.size() && positions[to] <= last;
       stride *= 2) {
    from = to + 1;
    to = std::min(positions.size(), from + stride);
  }
  const auto end =
      std::upper_bound(positions.begin() + from, positions.begin() + to, last);
  return {begin, static_cast<size_t>(end - positions.begin()), bucket};
}

SeriesView Within(const SeriesView& series, Interval span) {
  const auto begin = std::lower_bound(series.positions.begin(),
                                      series.positions.end(), span.first);
  const auto end = std::upper_bound(begin, series.positions.end(), span.last);
  const size_t from = begin - series.positions.begin();
  const size_t count = span.first <= span.last ? end - begin : 0;
  return {series.worker, series.positions.subspan(from, count),
          series.values.subspan(from, count)};
}

std::vector<Bucket> BucketSeries(const SeriesView& series, Interval span,
                                 uint32_t max_points) {
  std::vector<Bucket> buckets;
  const SeriesView view = Within(series, span);
  if (view.positions.empty()) return buckets;
  const BucketCutter cutter(span, max_points);
  buckets.reserve(std::min<size_t>(max_points, view.positions.size()));
  for (size_t begin = 0; begin < view.positions.size();) {
    const Stretch stretch = cutter.Next(view.positions, begin);
    BucketAccumulator accumulator;
    accumulator.AddStretch(view.positions.subspan(begin, stretch.end - begin),
                           view.values.subspan(begin, stretch.end - begin),
                           view.worker);
    buckets.push_back(accumulator.Finish(Reduction::kMean));
    begin = stretch.end;
  }
  return buckets;
}

}  // namespace waterflow::storage
