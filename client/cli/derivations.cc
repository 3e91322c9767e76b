#include "client/cli/derivations.h"

#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace waterflow::cli {
namespace {

bool ParseEma(absl::string_view by, v1::Ema* ema) {
  double number = 0;
  const bool half = absl::ConsumePrefix(&by, "half=");
  if (!absl::SimpleAtod(by, &number)) return false;
  half ? ema->set_half_life(number) : ema->set_weight(number);
  return true;
}

bool ParseRate(absl::string_view per, v1::Rate* rate) {
  if (per == "step") rate->set_per(v1::RATE_UNIT_STEP);
  if (per == "second") rate->set_per(v1::RATE_UNIT_SECOND);
  return per.empty() || rate->per() != v1::RATE_UNIT_UNSPECIFIED;
}

bool ParsePair(absl::string_view names, v1::MetricPair* pair) {
  const std::vector<std::string> both = absl::StrSplit(names, ',');
  if (both.size() != 2) return false;
  pair->set_metric(both[0]);
  pair->set_other(both[1]);
  return !both[0].empty() && !both[1].empty();
}

}  // namespace

absl::StatusOr<v1::Derivation> ParseDerivation(const std::string& text) {
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(text, absl::MaxSplits(':', 1));
  const auto& [kind, rest] = parts;
  v1::Derivation derivation;
  bool good = false;
  if (kind == "ema") {
    good = ParseEma(rest, derivation.mutable_ema());
  } else if (kind == "rate") {
    good = ParseRate(rest, derivation.mutable_rate());
  } else if (kind == "cumulative") {
    derivation.mutable_cumulative();
    good = rest.empty();
  } else if (kind == "difference") {
    good = ParsePair(rest, derivation.mutable_difference());
  } else if (kind == "ratio") {
    good = ParsePair(rest, derivation.mutable_ratio());
  }
  if (good) return derivation;
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", text,
      "\" is no derivation: expected ema:0.6, ema:half=100, rate, rate:step, "
      "rate:second, cumulative, difference:A,B or ratio:A,B"));
}

}  // namespace waterflow::cli
