#include "storage/query/reduce.h"

#include <algorithm>

#include "storage/query/accumulator.h"

namespace waterflow::storage {
namespace {

// Cuts a series into one stretch per step; the key is the step.
class StepCutter {
 public:
  Stretch Next(absl::Span<const int64_t> positions, size_t begin) const {
    Stretch stretch{begin, begin + 1, positions[begin]};
    while (stretch.end < positions.size() &&
           positions[stretch.end] == stretch.key) {
      ++stretch.end;
    }
    return stretch;
  }
};

template <typename Cutter, typename Visit>
void ForEachStretch(const SeriesView& series, const Cutter& cutter,
                    Visit visit) {
  for (size_t begin = 0; begin < series.positions.size();) {
    const Stretch stretch = cutter.Next(series.positions, begin);
    visit(stretch);
    begin = stretch.end;
  }
}

// Finds ascending keys in an ascending list, one after the other.
class Seeker {
 public:
  explicit Seeker(absl::Span<const int64_t> keys) : keys_(keys) {}

  // Index of the first key >= `key`. Looks nearby, then in strides that double:
  // a worker that logs at each step pays one comparison, one that logs at few
  // of them a logarithm.
  size_t Seek(int64_t key) {
    size_t stride = 1;
    size_t next = at_;
    while (next < keys_.size() && keys_[next] < key) {
      at_ = next + 1;
      next = at_ + stride - 1;
      stride *= 2;
    }
    const auto begin = keys_.begin() + at_;
    const auto end = keys_.begin() + std::min(next, keys_.size());
    at_ = std::lower_bound(begin, end, key) - keys_.begin();
    return at_;
  }

  // Whether `key` is in the list; at its index.
  bool Finds(int64_t key) {
    const size_t at = Seek(key);
    return at < keys_.size() && keys_[at] == key;
  }

 private:
  absl::Span<const int64_t> keys_;
  size_t at_ = 0;
};

// The keys of all workers, ascending, each once. Workers mostly log at the same
// steps, so the longest series gives nearly all of them.
template <typename Cutter>
std::vector<int64_t> DistinctKeys(absl::Span<const SeriesView> workers,
                                  const Cutter& cutter) {
  std::vector<int64_t> keys;
  if (workers.empty()) return keys;
  const SeriesView& longest =
      *std::max_element(workers.begin(), workers.end(),
                        [](const SeriesView& a, const SeriesView& b) {
                          return a.positions.size() < b.positions.size();
                        });
  ForEachStretch(longest, cutter,
                 [&](const Stretch& stretch) { keys.push_back(stretch.key); });
  std::vector<int64_t> others;
  for (const SeriesView& series : workers) {
    Seeker seeker(keys);
    ForEachStretch(series, cutter, [&](const Stretch& stretch) {
      if (!seeker.Finds(stretch.key)) others.push_back(stretch.key);
    });
  }
  if (others.empty()) return keys;
  std::sort(others.begin(), others.end());
  others.erase(std::unique(others.begin(), others.end()), others.end());
  const size_t middle = keys.size();
  keys.insert(keys.end(), others.begin(), others.end());
  std::inplace_merge(keys.begin(), keys.begin() + middle, keys.end());
  return keys;
}

// Adds each stretch to the accumulator of its key, worker by worker.
template <typename Cutter, typename Add>
std::vector<Bucket> ReduceStretches(absl::Span<const SeriesView> workers,
                                    const Cutter& cutter, Reduction reduction,
                                    Add add) {
  const std::vector<int64_t> keys = DistinctKeys(workers, cutter);
  std::vector<BucketAccumulator> accumulators(keys.size());
  for (const SeriesView& series : workers) {
    Seeker seeker(keys);
    ForEachStretch(series, cutter, [&](const Stretch& stretch) {
      add(series, stretch, &accumulators[seeker.Seek(stretch.key)]);
    });
  }
  std::vector<Bucket> buckets;
  buckets.reserve(accumulators.size());
  for (const BucketAccumulator& accumulator : accumulators) {
    buckets.push_back(accumulator.Finish(reduction));
  }
  return buckets;
}

}  // namespace

std::vector<Bucket> ReducePerStep(absl::Span<const SeriesView> workers,
                                  Reduction reduction) {
  return ReduceStretches(workers, StepCutter(), reduction,
                         [](const SeriesView& series, const Stretch& stretch,
                            BucketAccumulator* accumulator) {
                           accumulator->Add(stretch.key,
                                            series.values[stretch.end - 1],
                                            series.worker);
                         });
}

std::vector<Bucket> ReduceBuckets(absl::Span<const SeriesView> workers,
                                  Interval span, uint32_t max_points,
                                  Reduction reduction) {
  if (span.first > span.last) return {};
  std::vector<SeriesView> views;
  views.reserve(workers.size());
  for (const SeriesView& series : workers) {
    views.push_back(Within(series, span));
  }
  return ReduceStretches(
      absl::MakeConstSpan(views), BucketCutter(span, max_points), reduction,
      [](const SeriesView& series, const Stretch& stretch,
         BucketAccumulator* accumulator) {
        accumulator->AddStretch(
            series.positions.subspan(stretch.begin,
                                     stretch.end - stretch.begin),
            series.values.subspan(stretch.begin, stretch.end - stretch.begin),
            series.worker);
      });
}

}  // namespace waterflow::storage
