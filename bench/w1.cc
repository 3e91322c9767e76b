#include "bench/w1.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "absl/strings/str_format.h"

namespace waterflow::bench {
namespace {

// SplitMix64 (Steele, Lea, Flood 2014). The standard library's distributions
// differ between implementations; these do not.
class Random {
 public:
  // A stream of its own for each (seed, a, b), whatever was drawn elsewhere.
  explicit Random(uint64_t seed, uint64_t a = 0, uint64_t b = 0)
      : state_(seed * 0x9e3779b97f4a7c15) {
    state_ = Next() + a;
    state_ = Next() + b;
  }

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // In [low, high).
  double Uniform(double low, double high) {
    return low + (high - low) * 0x1p-53 * static_cast<double>(Next() >> 11);
  }
  // In [low, high], both ends included.
  int64_t Integer(int64_t low, int64_t high) {
    return low +
           static_cast<int64_t>(Next() % static_cast<uint64_t>(high - low + 1));
  }
  double Normal() {
    const double radius = std::sqrt(-2 * std::log(1 - Uniform(0, 1)));
    return radius * std::cos(2 * std::numbers::pi * Uniform(0, 1));
  }
  double LogNormal(double median, double sigma) {
    return median * std::exp(sigma * Normal());
  }

 private:
  uint64_t state_;
};

enum class Kind { kLoss, kCounter, kConstant, kSame, kTiming };

// How many metrics are of each kind, in this order.
std::array<uint32_t, 5> KindCounts(uint32_t metrics) {
  auto share = [&](double part) {
    return static_cast<uint32_t>(std::lround(metrics * part));
  };
  std::array<uint32_t, 5> counts = {share(0.40), share(0.15), share(0.10),
                                    share(0.10), 0};
  uint32_t named = counts[0] + counts[1] + counts[2] + counts[3];
  // Rounding up may pass the end when there are only a few metrics.
  for (int i = 3; i >= 0 && named > metrics; --i) {
    const uint32_t cut = std::min(counts[i], named - metrics);
    counts[i] -= cut;
    named -= cut;
  }
  counts[4] = metrics - named;
  return counts;
}

std::vector<Kind> Kinds(uint32_t metrics) {
  std::vector<Kind> kinds;
  const std::array<uint32_t, 5> counts = KindCounts(metrics);
  for (size_t k = 0; k < counts.size(); ++k) {
    kinds.insert(kinds.end(), counts[k], static_cast<Kind>(k));
  }
  return kinds;
}

void FillLoss(Random shape, Random noise, std::vector<double>& column) {
  const double scale = shape.Uniform(2, 11);
  const double tau = shape.Uniform(40, 300);
  const double floor = shape.Uniform(0.1, 2);
  const double sigma = shape.Uniform(0.005, 0.1);
  for (size_t s = 0; s < column.size(); ++s) {
    const double base = floor + scale * std::exp(-static_cast<double>(s) / tau);
    column[s] = static_cast<float>(base * (1 + sigma * noise.Normal()));
  }
}

void FillCounter(Random shape, Random noise, std::vector<double>& column) {
  constexpr std::array<int64_t, 5> kIncrements = {1, 32, 4096, 524288, 1500000};
  const int64_t increment = kIncrements[shape.Integer(0, 4)];
  const int64_t spread = increment > 50 ? increment / 50 : 0;
  int64_t total = 0;
  for (double& value : column) {
    total += increment + noise.Integer(-spread, spread);
    value = static_cast<double>(total);
  }
}

void FillConstant(Random noise, std::vector<double>& column) {
  constexpr std::array<double, 7> kValues = {0, 1, 8, 0.9, 0.95, 1e-8, 4096};
  std::fill(column.begin(), column.end(), kValues[noise.Integer(0, 6)]);
}

// Draws from `shape` only, so that all workers get the same.
void FillSame(uint32_t metric, Random shape, std::vector<double>& column) {
  const double steps = static_cast<double>(column.size());
  for (size_t s = 0; s < column.size(); ++s) {
    const double step = static_cast<double>(s);
    if (metric % 2 == 1) {  // a cosine learning rate, all 64 bits in use
      column[s] = 3e-4 * 0.5 * (1 + std::cos(std::numbers::pi * step / steps));
    } else {
      column[s] = static_cast<float>(1.5 + 8 * std::exp(-step / 120) +
                                     0.03 * shape.Normal());
    }
  }
}

void FillTiming(uint32_t metric, Random noise, std::vector<double>& column) {
  double temperature = 68;
  for (double& value : column) {
    switch (metric % 5) {
      case 0:
      case 1:  // seconds from a nanosecond clock
        value = std::floor(noise.LogNormal(2.1e8, 0.08)) / 1e9;
        break;
      case 2:  // utilisation, %
        value = std::clamp(std::rint(96 + 3 * noise.Normal()), 0.0, 100.0);
        break;
      case 3:  // temperature, a tenth of a degree
        temperature += 0.1 * noise.Normal();
        value = std::rint(10 * temperature) / 10;
        break;
      default:  // throughput, a ratio of two measurements
        value = 524288 / noise.LogNormal(0.21, 0.08);
    }
  }
}

}  // namespace

std::vector<std::string> W1Names(uint32_t metrics) {
  constexpr std::array<const char*, 5> kPrefix = {"loss", "cnt", "const",
                                                  "same", "time"};
  std::vector<std::string> names;
  for (Kind kind : Kinds(metrics)) {
    names.push_back(absl::StrFormat("%s_%02d", kPrefix[static_cast<int>(kind)],
                                    names.size()));
  }
  return names;
}

Dataset MakeW1(const W1Options& options) {
  const std::vector<std::string> names = W1Names(options.metrics);
  const std::vector<Kind> kinds = Kinds(options.metrics);
  Dataset workers(options.workers);
  for (uint32_t w = 0; w < options.workers; ++w) {
    LaneRows lane;
    lane.metrics = names;
    lane.columns.assign(options.metrics, std::vector<double>(options.steps));
    // No metric has this number, so the clock draws from a stream of its own.
    Random clock(options.seed, options.metrics, w);
    const int64_t skew = clock.Integer(0, 20'000'000);
    for (uint32_t s = 0; s < options.steps; ++s) {
      lane.steps.push_back(s);
      lane.times_ns.push_back(options.start_ns + s * options.step_ns + skew +
                              clock.Integer(0, options.step_ns / 20));
    }
    for (uint32_t m = 0; m < options.metrics; ++m) {
      const Random shape(options.seed, m);
      const Random noise(options.seed, m, w + 1);
      std::vector<double>& column = lane.columns[m];
      switch (kinds[m]) {
        case Kind::kLoss:
          FillLoss(shape, noise, column);
          break;
        case Kind::kCounter:
          FillCounter(shape, noise, column);
          break;
        case Kind::kConstant:
          FillConstant(noise, column);
          break;
        case Kind::kSame:
          FillSame(m, shape, column);
          break;
        case Kind::kTiming:
          FillTiming(m, noise, column);
      }
    }
    workers[w] = {.run = "w1", .rank = w, .lanes = {}};
    workers[w].lanes.push_back(std::move(lane));
  }
  return workers;
}

}  // namespace waterflow::bench
