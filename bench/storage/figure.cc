#include "bench/storage/figure.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace waterflow::bench {
namespace {

std::string Promise(const Figure& figure) {
  if (figure.at_most.has_value()) {
    return absl::StrFormat("<= %g", *figure.at_most);
  }
  if (figure.at_least.has_value()) {
    return absl::StrFormat(">= %g", *figure.at_least);
  }
  return "";
}

std::string Verdict(const Figure& figure) {
  if (!figure.at_most.has_value() && !figure.at_least.has_value()) return "";
  return figure.met() ? "pass" : "MISS";
}

}  // namespace

void PrintFigures(const std::vector<Figure>& figures, std::ostream& out) {
  out << absl::StrFormat("\n%-58s %10s %-14s %9s %-4s  %s\n", "", "found",
                         "unit", "target", "", "elsewhere");
  for (const Figure& f : figures) {
    out << absl::StrFormat("%-58s %10.5g %-14s %9s %-4s  %s\n", f.what, f.value,
                           f.unit, Promise(f), Verdict(f), f.reference);
  }
}

nlohmann::json ToJson(const std::vector<Figure>& figures) {
  nlohmann::json all = nlohmann::json::array();
  for (const Figure& f : figures) {
    nlohmann::json one = {{"what", f.what},
                          {"value", f.value},
                          {"unit", f.unit},
                          {"reference", f.reference},
                          {"met", f.met()}};
    if (f.at_most.has_value()) one["at_most"] = *f.at_most;
    if (f.at_least.has_value()) one["at_least"] = *f.at_least;
    all.push_back(std::move(one));
  }
  return all;
}

std::vector<Figure> FiguresFromJson(const nlohmann::json& json) {
  std::vector<Figure> figures;
  for (const nlohmann::json& one : json) {
    Figure& f = figures.emplace_back();
    f.what = one.at("what");
    f.value = one.at("value");
    f.unit = one.at("unit");
    f.reference = one.at("reference");
    if (one.contains("at_most")) f.at_most = one["at_most"].get<double>();
    if (one.contains("at_least")) f.at_least = one["at_least"].get<double>();
  }
  return figures;
}

}  // namespace waterflow::bench
