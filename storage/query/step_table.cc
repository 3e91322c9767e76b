#include "storage/query/step_table.h"

#include <algorithm>
#include <cmath>

#include "storage/model/vector_clones.h"

namespace waterflow::storage {
namespace {

// Finds ascending steps in an ascending list, one after the other.
class Seeker {
 public:
  explicit Seeker(absl::Span<const int64_t> steps) : steps_(steps) {}

  // Index of the first step >= `step`. Looks nearby, then in strides that
  // double: a worker that logs at each step pays one comparison, one that logs
  // at few of them a logarithm.
  size_t Seek(int64_t step) {
    size_t stride = 1;
    size_t next = at_;
    while (next < steps_.size() && steps_[next] < step) {
      at_ = next + 1;
      next = at_ + stride - 1;
      stride *= 2;
    }
    const auto begin = steps_.begin() + at_;
    const auto end = steps_.begin() + std::min(next, steps_.size());
    at_ = std::lower_bound(begin, end, step) - steps_.begin();
    return at_;
  }

  // Whether `step` is in the list; at its index.
  bool Finds(int64_t step) {
    const size_t at = Seek(step);
    return at < steps_.size() && steps_[at] == step;
  }

 private:
  absl::Span<const int64_t> steps_;
  size_t at_ = 0;
};

// Whether all workers logged at the same steps, each step once.
bool LogTogether(absl::Span<const SeriesView> workers) {
  const absl::Span<const int64_t> steps = workers[0].positions;
  const auto behind = [](int64_t a, int64_t b) { return a >= b; };
  if (std::adjacent_find(steps.begin(), steps.end(), behind) != steps.end()) {
    return false;
  }
  return std::all_of(workers.begin() + 1, workers.end(),
                     [&](const SeriesView& w) {
                       // Mostly they are the same ones, not only equal.
                       return (w.positions.data() == steps.data() &&
                               w.positions.size() == steps.size()) ||
                              w.positions == steps;
                     });
}

// The loops over the steps of one worker.

// What a sum has no room for is kept beside it (Knuth's TwoSum).
WATERFLOW_VECTOR_CLONES void AddSums(const double* __restrict values,
                                     size_t count, double* __restrict sums,
                                     double* __restrict low) {
  for (size_t i = 0; i < count; ++i) {
    const double sum = sums[i] + values[i];
    const double added = sum - sums[i];
    low[i] += (sums[i] - (sum - added)) + (values[i] - added);
    sums[i] = sum;
  }
}

WATERFLOW_VECTOR_CLONES void AddExtremes(const double* __restrict values,
                                         int64_t worker, size_t count,
                                         double* __restrict min,
                                         double* __restrict max,
                                         int64_t* __restrict min_worker,
                                         int64_t* __restrict max_worker) {
  for (size_t i = 0; i < count; ++i) {
    min_worker[i] = values[i] < min[i] ? worker : min_worker[i];
    max_worker[i] = values[i] > max[i] ? worker : max_worker[i];
    min[i] = values[i] < min[i] ? values[i] : min[i];
    max[i] = values[i] > max[i] ? values[i] : max[i];
  }
}

WATERFLOW_VECTOR_CLONES void AddSquares(const double* __restrict values,
                                        const double* __restrict means,
                                        size_t count, double* __restrict rest,
                                        double* __restrict squares) {
  for (size_t i = 0; i < count; ++i) {
    const double distance = values[i] - means[i];
    rest[i] += distance;
    squares[i] += distance * distance;
  }
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
      AddSquares(Values(w), mean_, count_, rest_, squares_);
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
            .first_worker = workers_.front().worker,
            .last_worker = workers_.back().worker,
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
    AddSums(values, count_, sum_, low_);
    AddExtremes(values, static_cast<int64_t>(worker), count_, min_, max_,
                min_worker_, max_worker_);
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

}  // namespace

void StepTable::Add(absl::Span<const SeriesView> workers) {
  if (workers.empty()) return;
  if (LogTogether(workers)) {
    Admit(workers[0].positions);
    AddTogether(workers);
    return;
  }
  for (const SeriesView& series : workers) {
    Admit(series.positions);
    Seeker seeker(steps_);
    for (size_t i = 0; i < series.positions.size(); ++i) {
      const int64_t step = series.positions[i];
      const bool last =
          i + 1 == series.positions.size() || series.positions[i + 1] != step;
      if (!last) continue;
      accumulators_[places_[seeker.Seek(step)]].Add(step, series.values[i],
                                                    series.worker);
    }
  }
}

void StepTable::Admit(absl::Span<const int64_t> steps) {
  // Workers mostly log at the steps that others did.
  if (steps == absl::MakeConstSpan(steps_)) return;
  fresh_.clear();
  Seeker seeker(steps_);
  for (const int64_t step : steps) {
    if (!seeker.Finds(step) && (fresh_.empty() || fresh_.back() != step)) {
      fresh_.push_back(step);
    }
  }
  if (fresh_.empty()) return;
  // From the back, so that each moves once.
  size_t old = steps_.size();
  size_t at = old + fresh_.size();
  steps_.resize(at);
  places_.resize(at);
  for (size_t fresh = fresh_.size(); fresh > 0;) {
    --at;
    if (old > 0 && steps_[old - 1] > fresh_[fresh - 1]) {
      --old;
      steps_[at] = steps_[old];
      places_[at] = places_[old];
    } else {
      --fresh;
      steps_[at] = fresh_[fresh];
      places_[at] = static_cast<uint32_t>(accumulators_.size() + fresh);
    }
  }
  for (size_t i = 0; i < fresh_.size(); ++i) {
    accumulators_.emplace_back(keep_values_);
  }
}

void StepTable::AddTogether(absl::Span<const SeriesView> workers) {
  const absl::Span<const int64_t> steps = workers[0].positions;
  Seeker seeker(steps_);
  for (size_t begin = 0; begin < steps.size(); begin += StepTile::kSteps) {
    const size_t count = std::min(StepTile::kSteps, steps.size() - begin);
    StepTile tile(workers, begin, count);
    const bool measured = tile.Measure();
    for (size_t i = 0; i < count; ++i) {
      BucketAccumulator& accumulator =
          accumulators_[places_[seeker.Seek(steps[begin + i])]];
      if (measured) {
        accumulator.AddPiece(tile.At(i));
        for (size_t w = 0; keep_values_ && w < workers.size(); ++w) {
          accumulator.AddValue(workers[w].values[begin + i]);
        }
        continue;
      }
      for (const SeriesView& series : workers) {
        accumulator.Add(steps[begin + i], series.values[begin + i],
                        series.worker);
      }
    }
  }
}

std::vector<Bucket> StepTable::Finish(Reduction reduction) const {
  std::vector<Bucket> buckets;
  buckets.reserve(places_.size());
  for (const uint32_t place : places_) {
    buckets.push_back(accumulators_[place].Finish(reduction));
  }
  return buckets;
}

std::vector<double> StepTable::Quantiles(absl::Span<const double> quantiles,
                                         bool* exact) const {
  std::vector<double> all;
  *exact = true;
  for (const uint32_t place : places_) {
    *exact = accumulators_[place].AppendQuantiles(quantiles, &all) && *exact;
  }
  return all;
}

size_t StepTable::value_bytes() const {
  size_t bytes = 0;
  for (const BucketAccumulator& a : accumulators_) bytes += a.value_bytes();
  return bytes;
}

}  // namespace waterflow::storage
