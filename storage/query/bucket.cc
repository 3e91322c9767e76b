#include "storage/query/bucket.h"

#include <algorithm>
#include <cassert>
#include <limits>

#include "storage/query/accumulator.h"

namespace waterflow::storage {

BucketCutter::BucketCutter(Interval span, uint32_t max_points)
    : first_(span.first),
      length_(Offset(span.last)),
      reach_(length_ / max_points),
      end_(reach_) {
  assert(span.first <= span.last && max_points >= 1);
}

Stretch BucketCutter::Next(absl::Span<const int64_t> positions, size_t begin) {
  const uint64_t offset = Offset(positions[begin]);
  if (offset > end_) {
    if (offset - end_ - 1 <= reach_) {
      ++bucket_;  // the next one, as a rule: spares a division
    } else {
      bucket_ = offset / (reach_ + 1);
    }
    const uint64_t start = bucket_ * (reach_ + 1);
    end_ = length_ - start < reach_ ? length_ : start + reach_;
  }
  Stretch stretch{begin, begin + 1, static_cast<int64_t>(bucket_)};
  while (stretch.end < positions.size() &&
         Offset(positions[stretch.end]) <= end_) {
    ++stretch.end;
  }
  return stretch;
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
  BucketCutter cutter(span, max_points);
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
