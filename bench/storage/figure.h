// What a part of the storage benchmark found: a number with its promise and
// with what others reach, as a table for people and as JSON.
#ifndef WATERFLOW_BENCH_STORAGE_FIGURE_H_
#define WATERFLOW_BENCH_STORAGE_FIGURE_H_

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace waterflow::bench {

struct Figure {
  std::string what;
  double value = 0;
  std::string unit;
  // At least one is absent; both are for a number that promises nothing.
  std::optional<double> at_most = {};
  std::optional<double> at_least = {};
  // What the same costs elsewhere, as text.
  std::string reference = {};

  bool met() const {
    return (!at_most.has_value() || value <= *at_most) &&
           (!at_least.has_value() || value >= *at_least);
  }
};

void PrintFigures(const std::vector<Figure>& figures, std::ostream& out);
nlohmann::json ToJson(const std::vector<Figure>& figures);
std::vector<Figure> FiguresFromJson(const nlohmann::json& json);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_STORAGE_FIGURE_H_
