#include "tests/model/compare_table.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace waterflow::storage::model {
namespace {

constexpr std::array<const char*, 3> kStatistics = {"last", "min", "max"};
constexpr std::array<const char*, 4> kReductions = {"mean", "sum", "min",
                                                    "max"};

struct Asked {
  std::string metric;
  size_t statistic = 0;
  size_t reduction = 0;

  std::string Text() const {
    return absl::StrCat(kStatistics[statistic], "(metrics.`",
                        absl::StrReplaceAll(metric, {{"`", "``"}}), "`, ",
                        kReductions[reduction], ")");
  }
};

// Absent: no worker has a point. *scale: what rounding is measured by.
std::optional<double> Expected(const NaiveRun& run, const Asked& asked,
                               double* scale) {
  LastValuesSpec spec;
  spec.run = run.id;
  spec.metrics = {asked.metric};
  std::vector<double> finite;
  std::vector<double> others;
  for (const LastValue& v : NaiveEngine::LastValues(run, spec)) {
    const double value = std::array{v.value, v.min, v.max}[asked.statistic];
    (std::isfinite(value) ? finite : others).push_back(value);
  }
  if (finite.empty() && others.empty()) return std::nullopt;
  if (finite.empty()) {
    const bool agree = std::all_of(others.begin(), others.end(),
                                   [&](double v) { return v == others[0]; });
    return agree ? others[0] : std::numeric_limits<double>::quiet_NaN();
  }
  long double sum = 0;
  *scale = 0;
  for (const double v : finite) {
    sum += v;
    *scale = std::max(*scale, std::fabs(v));
  }
  switch (asked.reduction) {
    case 0:
      return static_cast<double>(sum / finite.size());
    case 1:
      return static_cast<double>(sum);
    case 2:
      return *std::min_element(finite.begin(), finite.end());
    default:
      return *std::max_element(finite.begin(), finite.end());
  }
}

bool Alike(double got, double expected, double scale) {
  if (std::isnan(expected)) return std::isnan(got);
  return got == expected || std::fabs(got - expected) <= 1e-12 * scale;
}

}  // namespace

std::string CompareTable(Engine* engine, const NaiveRun& run, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Asked> asked;
  for (const std::string& metric : run.Metrics()) {
    if (random() % 4 == 0 || asked.size() == 32) continue;
    asked.push_back({.metric = metric,
                     .statistic = random() % kStatistics.size(),
                     .reduction = random() % kReductions.size()});
  }
  RunTableSpec spec;
  spec.filter = absl::StrCat("run_id = '", run.id.ToHex(), "'");
  for (const Asked& column : asked) spec.columns.push_back(column.Text());
  RunTablePart table;
  const auto next = engine->RunTable(spec, [&](RunTablePart part) {
    table = std::move(part);
    return absl::OkStatus();
  });
  if (!next.ok()) return absl::StrCat("table: ", next.status().ToString());
  if (table.runs.size() != 1) {
    return absl::StrCat("table: got ", table.runs.size(), " rows, expected 1");
  }
  for (size_t c = 0; c < asked.size(); ++c) {
    double scale = 0;
    const std::optional<double> expected = Expected(run, asked[c], &scale);
    std::optional<double> got;
    if (table.columns[c].has_value[0]) got = table.columns[c].numbers[0];
    if (got.has_value() == expected.has_value() &&
        (!got.has_value() || Alike(*got, *expected, scale))) {
      continue;
    }
    const auto show = [](const std::optional<double>& value) {
      return value.has_value() ? absl::StrCat(*value) : "nothing";
    };
    return absl::StrCat("table: ", asked[c].Text(), ": got ", show(got),
                        ", expected ", show(expected));
  }
  return "";
}

}  // namespace waterflow::storage::model
