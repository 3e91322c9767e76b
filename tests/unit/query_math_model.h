// The naive model that bucketing and reducing are checked against: every point
// asks for its bucket by itself, in 128 bits, and a bucket's statistics are
// made from a list of its values.
#ifndef WATERFLOW_TESTS_UNIT_QUERY_MATH_MODEL_H_
#define WATERFLOW_TESTS_UNIT_QUERY_MATH_MODEL_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <tuple>
#include <vector>

#include "storage/query/bucket.h"
#include "storage/query/step_table.h"

namespace waterflow::storage {

struct ModelSeries {
  uint32_t worker = 0;
  std::vector<int64_t> positions;
  std::vector<double> values;

  SeriesView view() const { return {worker, positions, values}; }
};

inline std::vector<SeriesView> Views(const std::vector<ModelSeries>& all) {
  std::vector<SeriesView> views;
  for (const ModelSeries& series : all) views.push_back(series.view());
  return views;
}

// ---- what is checked ----

// In two groups, of which the later workers come first.
inline std::vector<Bucket> ReducePerStep(std::vector<SeriesView> workers,
                                         Reduction reduction) {
  std::stable_sort(workers.begin(), workers.end(),
                   [](const SeriesView& a, const SeriesView& b) {
                     return a.worker < b.worker;
                   });
  const absl::Span<const SeriesView> all = workers;
  StepTable table;
  table.Add(all.subspan(all.size() / 3));
  table.Add(all.first(all.size() / 3));
  return table.Finish(reduction);
}

// Of the points in the span.
inline std::vector<Bucket> ReduceBuckets(const std::vector<SeriesView>& workers,
                                         Interval span, uint32_t max_points,
                                         Reduction reduction) {
  if (span.first > span.last) return {};
  BucketTable table(span, max_points);
  for (const SeriesView& worker : workers) {
    const auto begin = std::lower_bound(worker.positions.begin(),
                                        worker.positions.end(), span.first);
    const auto end = std::upper_bound(begin, worker.positions.end(), span.last);
    const size_t from = begin - worker.positions.begin();
    const size_t count = end - begin;
    table.Add({worker.worker, worker.positions.subspan(from, count),
               worker.values.subspan(from, count)});
  }
  return table.Finish(reduction);
}

inline std::vector<Bucket> BucketSeries(const SeriesView& worker, Interval span,
                                        uint32_t max_points) {
  return ReduceBuckets({worker}, span, max_points, Reduction::kMean);
}

// ---- by what ----

struct ModelPoint {
  int64_t position = 0;
  uint32_t worker = 0;
  double value = 0;
};

inline Bucket ModelBucket(std::vector<ModelPoint> points, Reduction reduction) {
  std::stable_sort(points.begin(), points.end(),
                   [](const ModelPoint& a, const ModelPoint& b) {
                     return std::tie(a.position, a.worker) <
                            std::tie(b.position, b.worker);
                   });
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  Bucket b;
  b.first_position = points.front().position;
  b.last_position = points.back().position;
  b.first = points.front().value;
  b.last = points.back().value;
  b.min_position = b.max_position = b.first_position;
  b.value = b.mean = b.stddev = b.min = b.max = kNan;
  long double sum = 0;
  for (const ModelPoint& p : points) {
    if (std::isnan(p.value)) {
      ++b.nan_count;
    } else if (std::isinf(p.value)) {
      ++(p.value > 0 ? b.pos_inf_count : b.neg_inf_count);
    } else {
      if (b.count == 0 || p.value < b.min) {
        b.min = p.value;
        b.min_position = p.position;
        b.min_worker = p.worker;
      }
      if (b.count == 0 || p.value > b.max) {
        b.max = p.value;
        b.max_position = p.position;
        b.max_worker = p.worker;
      }
      ++b.count;
      sum += p.value;
    }
  }
  if (b.count == 0) return b;
  const long double mean = sum / b.count;
  long double squares = 0;
  for (const ModelPoint& p : points) {
    if (std::isfinite(p.value)) squares += (p.value - mean) * (p.value - mean);
  }
  b.mean = static_cast<double>(mean);
  b.stddev = static_cast<double>(std::sqrt(squares / b.count));
  b.value = reduction == Reduction::kSum   ? static_cast<double>(sum)
            : reduction == Reduction::kMin ? b.min
            : reduction == Reduction::kMax ? b.max
                                           : b.mean;
  return b;
}

inline std::vector<Bucket> ModelPerStep(const std::vector<ModelSeries>& workers,
                                        Reduction reduction) {
  std::map<int64_t, std::map<size_t, ModelPoint>> steps;
  for (size_t w = 0; w < workers.size(); ++w) {
    for (size_t i = 0; i < workers[w].values.size(); ++i) {
      const int64_t step = workers[w].positions[i];
      steps[step][w] = {step, workers[w].worker, workers[w].values[i]};
    }
  }
  std::vector<Bucket> buckets;
  for (const auto& [step, last] : steps) {
    std::vector<ModelPoint> points;
    for (const auto& [w, point] : last) points.push_back(point);
    buckets.push_back(ModelBucket(points, reduction));
  }
  return buckets;
}

inline std::vector<Bucket> ModelBuckets(const std::vector<ModelSeries>& workers,
                                        Interval span, uint32_t max_points,
                                        Reduction reduction) {
  using Wide = __int128;
  Wide width = 1;
  // Rounds down, also below 0.
  const auto cell_of = [&](Wide position) {
    if (width > INT64_MAX + Wide{1}) return Wide{0};  // one for all
    return position >= 0 ? position / width : -((-position - 1) / width) - 1;
  };
  while (cell_of(span.last) - cell_of(span.first) + 1 > max_points) width *= 2;
  std::map<Wide, std::vector<ModelPoint>> cells;
  for (size_t w = 0; w < workers.size(); ++w) {
    for (size_t i = 0; i < workers[w].values.size(); ++i) {
      const int64_t position = workers[w].positions[i];
      if (!span.Contains(position)) continue;
      cells[cell_of(position)].push_back(
          {position, workers[w].worker, workers[w].values[i]});
    }
  }
  std::vector<Bucket> buckets;
  for (const auto& [cell, points] : cells) {
    buckets.push_back(ModelBucket(points, reduction));
  }
  return buckets;
}

}  // namespace waterflow::storage

#endif  // WATERFLOW_TESTS_UNIT_QUERY_MATH_MODEL_H_
