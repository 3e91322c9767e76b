#include "storage/query/reduce.h"

#include <algorithm>
#include <cmath>

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

// Whether all workers logged at the same steps, each step once.
bool LogTogether(absl::Span<const SeriesView> workers) {
  const absl::Span<const int64_t> steps = workers[0].positions;
  const auto behind = [](int64_t a, int64_t b) { return a >= b; };
  if (std::adjacent_find(steps.begin(), steps.end(), behind) != steps.end()) {
    return false;
  }
  return std::all_of(workers.begin() + 1, workers.end(),
                     [&](const SeriesView& w) { return w.positions == steps; });
}

// Some neighbouring steps of workers that log together, side by side: each loop
// goes over the steps of one worker, which is what vector registers are for.
class StepTile {
 public:
  static constexpr size_t kSteps = 128;

  StepTile(absl::Span<const SeriesView> workers, size_t begin, size_t count)
      : workers_(workers), begin_(begin), count_(count) {}

  // False when a value is not finite, or squares may leave a double's range.
  bool Measure() {
    std::copy_n(Values(0), count_, sum_);
    std::copy_n(Values(0), count_, min_);
    std::copy_n(Values(0), count_, max_);
    for (size_t w = 1; w < workers_.size(); ++w) AddWorker(w);
    const auto n = static_cast<double>(workers_.size());
    for (size_t i = 0; i < count_; ++i) {
      mean_[i] = (sum_[i] + low_[i]) / n;
      const double spread = max_[i] - min_[i];
      const bool plain = spread == 0 || (spread > 1e-140 && spread < 1e140);
      if (!std::isfinite(sum_[i]) || !plain) return false;
    }
    for (size_t w = 0; w < workers_.size(); ++w) {
      const double* const values = Values(w);
      for (size_t i = 0; i < count_; ++i) {
        const double distance = values[i] - mean_[i];
        rest_[i] += distance;
        squares_[i] += distance * distance;
      }
    }
    return true;
  }

  Piece At(size_t i) const {
    const int64_t step = workers_[0].positions[begin_ + i];
    const auto rest = static_cast<long double>(rest_[i]);
    return {.first_position = step,
            .last_position = step,
            .first = Values(0)[i],
            .last = Values(workers_.size() - 1)[i],
            .count = workers_.size(),
            .sum = static_cast<long double>(sum_[i]) + low_[i],
            .squares = squares_[i] - rest * rest / workers_.size(),
            .min = min_[i],
            .max = max_[i],
            .min_position = step,
            .max_position = step,
            .min_worker = workers_[min_worker_[i]].worker,
            .max_worker = workers_[max_worker_[i]].worker};
  }

 private:
  const double* Values(size_t worker) const {
    return workers_[worker].values.data() + begin_;
  }

  void AddWorker(size_t worker) {
    const double* const values = Values(worker);
    for (size_t i = 0; i < count_; ++i) {
      // What the sum has no room for is kept beside it (Knuth's TwoSum).
      const double value = values[i];
      const double sum = sum_[i] + value;
      const double added = sum - sum_[i];
      low_[i] += (sum_[i] - (sum - added)) + (value - added);
      sum_[i] = sum;
    }
    const auto w = static_cast<int64_t>(worker);
    for (size_t i = 0; i < count_; ++i) {
      min_worker_[i] = values[i] < min_[i] ? w : min_worker_[i];
      max_worker_[i] = values[i] > max_[i] ? w : max_worker_[i];
      min_[i] = values[i] < min_[i] ? values[i] : min_[i];
      max_[i] = values[i] > max_[i] ? values[i] : max_[i];
    }
  }

  const absl::Span<const SeriesView> workers_;
  const size_t begin_;
  const size_t count_;
  double sum_[kSteps];
  double low_[kSteps] = {};
  double min_[kSteps];
  double max_[kSteps];
  double mean_[kSteps];
  double rest_[kSteps] = {};
  double squares_[kSteps] = {};
  int64_t min_worker_[kSteps] = {};
  int64_t max_worker_[kSteps] = {};
};

std::vector<Bucket> ReduceTogether(absl::Span<const SeriesView> workers,
                                   Reduction reduction) {
  const size_t steps = workers[0].positions.size();
  std::vector<Bucket> buckets;
  buckets.reserve(steps);
  for (size_t begin = 0; begin < steps; begin += StepTile::kSteps) {
    const size_t count = std::min(StepTile::kSteps, steps - begin);
    StepTile tile(workers, begin, count);
    const bool measured = tile.Measure();
    for (size_t i = 0; i < count; ++i) {
      BucketAccumulator accumulator;
      if (measured) {
        accumulator.AddPiece(tile.At(i));
      } else {
        for (const SeriesView& series : workers) {
          accumulator.Add(series.positions[begin + i], series.values[begin + i],
                          series.worker);
        }
      }
      buckets.push_back(accumulator.Finish(reduction));
    }
  }
  return buckets;
}

}  // namespace

std::vector<Bucket> ReducePerStep(absl::Span<const SeriesView> workers,
                                  Reduction reduction) {
  if (!workers.empty() && LogTogether(workers)) {
    return ReduceTogether(workers, reduction);
  }
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
