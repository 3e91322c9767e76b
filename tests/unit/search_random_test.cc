// Random filters against a naive evaluator that never saw the text: both must
// agree on random runs. WATERFLOW_SEARCH_SEED repeats a run.
#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/search/parser.h"

namespace waterflow::storage {
namespace {

using Truth = std::optional<bool>;  // absent: unknown

// Metrics m0 to m2, params p0 to p2.
struct NaiveRun {
  std::optional<double> metrics[3];
  std::optional<std::string> params[3];
};

class Fields : public RunFields {
 public:
  Fields(const std::vector<Field>& fields, const NaiveRun& run)
      : fields_(fields), run_(run) {}
  FieldValue Get(uint32_t index) const override {
    const Field& field = fields_[index];
    const int number = field.key[1] - '0';
    if (field.entity == Entity::kMetric) {
      const auto& metric = run_.metrics[number];
      return metric.has_value() ? FieldValue::Number(*metric) : FieldValue();
    }
    const auto& param = run_.params[number];
    return param.has_value() ? FieldValue::Text(*param) : FieldValue();
  }

 private:
  const std::vector<Field>& fields_;
  const NaiveRun& run_;
};

// LIKE by trying everything.
bool NaiveLike(const std::string& text, const std::string& pattern) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '%') {
    return NaiveLike(text, pattern.substr(1)) ||
           (!text.empty() && NaiveLike(text.substr(1), pattern));
  }
  return !text.empty() && (pattern[0] == '_' || pattern[0] == text[0]) &&
         NaiveLike(text.substr(1), pattern.substr(1));
}

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  NaiveRun Run() {
    NaiveRun run;
    for (auto& metric : run.metrics) {
      if (Below(5) > 0) metric = Number();
      if (Below(8) == 0) metric = std::numeric_limits<double>::quiet_NaN();
    }
    for (auto& param : run.params) {
      if (Below(5) > 0) param = Letters("ab", 4);
    }
    return run;
  }

  // The text of a filter and what it says of `run`. Everything is in
  // parentheses or not, as precedence allows.
  std::pair<std::string, Truth> Expression(const NaiveRun& run, int depth) {
    switch (depth == 0 ? 0 : Below(4)) {
      case 1: {
        const auto [text, truth] = Expression(run, depth - 1);
        return {absl::StrCat("NOT (", text, ")"),
                truth.has_value() ? Truth(!*truth) : truth};
      }
      case 2: {
        const auto [a, x] = Expression(run, depth - 1);
        const auto [b, y] = Expression(run, depth - 1);
        Truth both;
        if (x == Truth(false) || y == Truth(false)) both = false;
        if (x == Truth(true) && y == Truth(true)) both = true;
        return {absl::StrCat("(", a, ") and (", b, ")"), both};
      }
      case 3: {
        const auto [a, x] = Expression(run, depth - 1);
        const auto [b, y] = Expression(run, depth - 1);
        Truth any;
        if (x == Truth(true) || y == Truth(true)) any = true;
        if (x == Truth(false) && y == Truth(false)) any = false;
        // OR binds the least: no parentheses needed.
        return {absl::StrCat(a, " OR ", b), any};
      }
      default:
        return Below(2) == 0 ? OfMetric(run) : OfParam(run);
    }
  }

 private:
  int Below(int bound) { return static_cast<int>(random_() % bound); }
  double Number() { return (Below(5) - 2) * 0.5; }
  std::string Letters(const std::string& from, int most) {
    std::string text;
    for (int n = Below(most + 1); n > 0; --n) {
      text += from[Below(static_cast<int>(from.size()))];
    }
    return text;
  }

  std::pair<std::string, Truth> OfMetric(const NaiveRun& run) {
    const int number = Below(3);
    const std::string name = absl::StrCat("metrics.m", number);
    const auto& value = run.metrics[number];
    const double than = Number();
    const int which = Below(8);
    if (which == 6) return {name + " IS NULL", !value.has_value()};
    if (which == 7) return {name + " is not null", value.has_value()};
    constexpr const char* kComparators[] = {"=", "!=", "<", "<=", ">", ">="};
    const std::string text =
        absl::StrCat(name, " ", kComparators[which], " ", than);
    if (!value.has_value()) return {text, std::nullopt};
    const bool holds[] = {*value == than, *value != than,
                          *value<than, *value <= than, *value> than,
                          *value >= than};
    return {text, holds[which]};
  }

  std::pair<std::string, Truth> OfParam(const NaiveRun& run) {
    const int number = Below(3);
    const std::string name = absl::StrCat("params.p", number);
    const auto& value = run.params[number];
    const std::string a = Letters("ab", 3);
    const std::string b = Letters("ab", 3);
    const std::string pattern = Letters("ab%_", 5);
    switch (Below(7)) {
      case 0:
        return {name + " IS NULL", !value.has_value()};
      case 1:
        return {absl::StrCat(name, " = '", a, "'"),
                value.has_value() ? Truth(*value == a) : std::nullopt};
      case 2:
        return {absl::StrCat(name, " != \"", a, "\""),
                value.has_value() ? Truth(*value != a) : std::nullopt};
      case 3:
        return {absl::StrCat(name, " in ('", a, "','", b, "')"),
                value.has_value() ? Truth(*value == a || *value == b)
                                  : std::nullopt};
      case 4:
        return {absl::StrCat(name, " NOT IN ('", a, "', '", b, "')"),
                value.has_value() ? Truth(*value != a && *value != b)
                                  : std::nullopt};
      case 5:
        return {absl::StrCat(name, " LIKE '", pattern, "'"),
                value.has_value() ? Truth(NaiveLike(*value, pattern))
                                  : std::nullopt};
      default:
        return {name + " IS NOT NULL", value.has_value()};
    }
  }

  std::mt19937_64 random_;
};

TEST(SearchRandomTest, FiltersSayWhatANaiveEvaluatorSays) {
  const char* const given = std::getenv("WATERFLOW_SEARCH_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10)
                                         : std::random_device{}();
  SCOPED_TRACE(absl::StrCat("WATERFLOW_SEARCH_SEED=", seed));
  Generator generator(seed);
  for (int i = 0; i < 20000; ++i) {
    const NaiveRun run = generator.Run();
    const auto [text, truth] = generator.Expression(run, i % 6);
    const absl::StatusOr<SearchQuery> query = ParseSearch(text, {});
    ASSERT_TRUE(query.ok()) << text << ": " << query.status();
    ASSERT_EQ(query->filter.Matches(Fields(query->fields, run)),
              truth == Truth(true))
        << text;
  }
}

}  // namespace
}  // namespace waterflow::storage
