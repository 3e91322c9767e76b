// What is computed from an answer before it is sent. The meaning of every field
// is that of query.proto's Derivation.
#ifndef WATERFLOW_STORAGE_DERIVATION_H_
#define WATERFLOW_STORAGE_DERIVATION_H_

#include <optional>
#include <string>
#include <variant>

namespace waterflow::storage {

struct Ema {
  // One of the two.
  std::optional<double> weight;
  std::optional<double> half_life;  // in steps, or seconds
};

enum class RateUnit : uint8_t { kAxis = 0, kStep = 1, kSecond = 2 };

struct Rate {
  RateUnit per = RateUnit::kAxis;
};

struct Cumulative {};

struct Difference {
  std::string metric;
  std::string other;
};

struct Ratio {
  std::string metric;
  std::string other;
};

using Derivation = std::variant<Ema, Rate, Cumulative, Difference, Ratio>;

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_DERIVATION_H_
