#include "storage/query/derive.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "storage/query/derive_pair.h"

namespace waterflow::storage {
namespace {

constexpr double kSecondNs = 1e9;

// Where a value stands, in the unit that its derivation counts in.
enum class Place { kNone, kStep, kSecond };

// The values of one series in axis order, one after the other.
class Running {
 public:
  virtual ~Running() = default;
  virtual void Begin() = 0;  // another series
  // What takes the place of a finite value; absent: it is left out.
  virtual std::optional<double> Next(double place, double value) = 0;
};

// With S the weighted sum so far and W the sum of the weights, the mean S / W
// is TensorBoard's with its correction for the start. Kept as W and the mean,
// which stays within the values and so never overflows.
class RunningEma : public Running {
 public:
  explicit RunningEma(const Ema& ema) : ema_(ema) {}
  void Begin() override { weights_ = 0; }
  std::optional<double> Next(double place, double value) override {
    if (weights_ == 0) {
      mean_ = value;
      weights_ = 1;
    } else {
      weights_ = weights_ * Decay(place - place_) + 1;
      const double share = 1 / weights_;
      mean_ = mean_ * (1 - share) + value * share;
    }
    place_ = place;
    return mean_;
  }

 private:
  double Decay(double distance) const {
    if (ema_.weight.has_value()) return *ema_.weight;
    return std::exp2(-std::max(distance, 0.0) / *ema_.half_life);
  }

  const Ema ema_;
  double weights_ = 0;
  double mean_ = 0;
  double place_ = 0;
};

// Against the last value at an earlier place, so that several values at one
// place are no division by zero.
class RunningRate : public Running {
 public:
  void Begin() override { seen_ = earlier_seen_ = false; }
  std::optional<double> Next(double place, double value) override {
    if (seen_ && place > place_) {
      earlier_place_ = place_;
      earlier_value_ = value_;
      earlier_seen_ = true;
    }
    seen_ = true;
    place_ = place;
    value_ = value;
    if (!earlier_seen_ || place <= earlier_place_) return std::nullopt;
    return (value - earlier_value_) / (place - earlier_place_);
  }

 private:
  bool seen_ = false;
  bool earlier_seen_ = false;
  double place_ = 0;
  double value_ = 0;
  double earlier_place_ = 0;
  double earlier_value_ = 0;
};

// Neumaier's sum: small values count beside a large total.
class RunningSum : public Running {
 public:
  void Begin() override { sum_ = lost_ = 0; }
  std::optional<double> Next(double, double value) override {
    const double sum = sum_ + value;
    lost_ += std::abs(sum_) >= std::abs(value) ? (sum_ - sum) + value
                                               : (value - sum) + sum_;
    sum_ = sum;
    return sum_ + lost_;
  }

 private:
  double sum_ = 0;
  double lost_ = 0;
};

bool SameSeries(const SeriesPart& a, const SeriesPart& b) {
  return a.run == b.run && a.metric == b.metric && a.worker == b.worker;
}

// Gives each value to a Running.
class EachValue : public Deriver {
 public:
  EachValue(std::unique_ptr<Running> running, Place place, Axis axis,
            PartSink sink)
      : running_(std::move(running)),
        place_(place),
        axis_(axis),
        sink_(std::move(sink)) {}

  absl::Status Add(SeriesPart part) override {
    if (!begun_ || !SameSeries(part, series_)) {
      begun_ = true;
      series_.run = part.run;
      series_.metric = part.metric;
      series_.worker = part.worker;
      running_->Begin();
      first_ns_.reset();
    }
    if (!part.buckets.empty()) {
      DeriveBuckets(&part.buckets);
      return part.buckets.empty() ? absl::OkStatus() : sink_(std::move(part));
    }
    DerivePoints(&part.points);
    return part.points.values.empty() ? absl::OkStatus()
                                      : sink_(std::move(part));
  }
  absl::Status Finish() override { return absl::OkStatus(); }

 private:
  std::optional<double> Derive(double place, double value) {
    if (!std::isfinite(value)) return value;
    return running_->Next(place, value);
  }
  // Seconds since the first point, so that a double tells nanoseconds apart.
  double Seconds(int64_t ns) {
    if (!first_ns_.has_value()) first_ns_ = ns;
    return (static_cast<long double>(ns) -
            static_cast<long double>(*first_ns_)) /
           kSecondNs;
  }
  void DeriveBuckets(std::vector<Bucket>* buckets) {
    size_t kept = 0;
    for (Bucket& bucket : *buckets) {
      const double place = axis_ == Axis::kStep
                               ? static_cast<double>(bucket.last_position)
                               : Seconds(bucket.last_position);
      const std::optional<double> value = Derive(place, bucket.value);
      if (!value.has_value()) continue;
      bucket.value = *value;
      (*buckets)[kept++] = bucket;
    }
    buckets->resize(kept);
  }
  void DerivePoints(Points* points) {
    size_t kept = 0;
    for (size_t i = 0; i < points->values.size(); ++i) {
      const double place = place_ == Place::kSecond
                               ? Seconds(points->times_ns[i])
                               : static_cast<double>(points->steps[i]);
      // On an axis of time a point may have no step to count from.
      const bool placed = place_ != Place::kStep || points->has_step.empty() ||
                          points->has_step[i];
      const std::optional<double> value =
          placed ? Derive(place, points->values[i]) : std::nullopt;
      if (!value.has_value()) continue;
      points->values[kept] = *value;
      points->steps[kept] = points->steps[i];
      points->times_ns[kept] = points->times_ns[i];
      if (!points->has_step.empty()) {
        points->has_step[kept] = points->has_step[i];
      }
      if (!points->time_stamped.empty()) {
        points->time_stamped[kept] = points->time_stamped[i];
      }
      ++kept;
    }
    points->values.resize(kept);
    points->steps.resize(kept);
    points->times_ns.resize(kept);
    if (!points->has_step.empty()) points->has_step.resize(kept);
    if (!points->time_stamped.empty()) points->time_stamped.resize(kept);
  }

  const std::unique_ptr<Running> running_;
  const Place place_;
  const Axis axis_;
  const PartSink sink_;
  SeriesPart series_;  // whose values these are; no values
  bool begun_ = false;
  std::optional<int64_t> first_ns_;
};

// The end of the chain.
class ToSink : public Deriver {
 public:
  explicit ToSink(const PartSink& sink) : sink_(sink) {}
  absl::Status Add(SeriesPart part) override { return sink_(std::move(part)); }
  absl::Status Finish() override { return absl::OkStatus(); }

 private:
  const PartSink& sink_;
};

// One behind the other.
class Chain : public Deriver {
 public:
  Chain(const ReadSpec& spec, const PartSink& sink) {
    links_.push_back(std::make_unique<ToSink>(sink));
    for (auto it = spec.derivations.rbegin(); it != spec.derivations.rend();
         ++it) {
      Deriver* const next = links_.back().get();
      links_.push_back(Make(*it, spec, [next](SeriesPart part) {
        return next->Add(std::move(part));
      }));
    }
  }
  absl::Status Add(SeriesPart part) override {
    return links_.back()->Add(std::move(part));
  }
  absl::Status Finish() override {
    for (auto link = links_.rbegin(); link != links_.rend(); ++link) {
      if (absl::Status s = (*link)->Finish(); !s.ok()) return s;
    }
    return absl::OkStatus();
  }

 private:
  static std::unique_ptr<Deriver> Make(const Derivation& derivation,
                                       const ReadSpec& spec, PartSink sink) {
    const Place by_axis =
        spec.axis == Axis::kStep ? Place::kStep : Place::kSecond;
    if (const auto* ema = std::get_if<Ema>(&derivation)) {
      return std::make_unique<EachValue>(
          std::make_unique<RunningEma>(*ema),
          ema->weight.has_value() ? Place::kNone : by_axis, spec.axis,
          std::move(sink));
    }
    if (const auto* rate = std::get_if<Rate>(&derivation)) {
      const Place place = rate->per == RateUnit::kAxis   ? by_axis
                          : rate->per == RateUnit::kStep ? Place::kStep
                                                         : Place::kSecond;
      return std::make_unique<EachValue>(std::make_unique<RunningRate>(), place,
                                         spec.axis, std::move(sink));
    }
    if (std::holds_alternative<Cumulative>(derivation)) {
      return std::make_unique<EachValue>(std::make_unique<RunningSum>(),
                                         Place::kNone, spec.axis,
                                         std::move(sink));
    }
    if (const auto* difference = std::get_if<Difference>(&derivation)) {
      return MakePairDeriver(difference->metric, difference->other,
                             PairOperation::kDifference, std::move(sink));
    }
    const auto& ratio = std::get<Ratio>(derivation);
    return MakePairDeriver(ratio.metric, ratio.other, PairOperation::kRatio,
                           std::move(sink));
  }

  std::vector<std::unique_ptr<Deriver>> links_;  // the last is asked first
};

}  // namespace

std::unique_ptr<Deriver> MakeDeriver(const ReadSpec& spec,
                                     const PartSink& sink) {
  return std::make_unique<Chain>(spec, sink);
}

}  // namespace waterflow::storage
