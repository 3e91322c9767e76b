// What a Derivation may say, before anything is read.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "storage/model/limits.h"
#include "storage/model/names.h"
#include "storage/query/derive.h"
#include "storage/query/derive_pair.h"

namespace waterflow::storage {
namespace {

absl::Status CheckEma(const std::string& field, const Ema& ema) {
  if (ema.weight.has_value()) {
    if (*ema.weight >= 0 && *ema.weight < 1) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(field, ".ema.weight ", *ema.weight,
                     ": 0 up to, and without, 1 is allowed"));
  }
  if (!ema.half_life.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ".ema: has neither a weight nor a half_life"));
  }
  if (*ema.half_life > 0 && std::isfinite(*ema.half_life)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat(field, ".ema.half_life ", *ema.half_life,
                   ": a finite number above 0 is allowed"));
}

absl::Status CheckRate(const std::string& field, const Rate& rate,
                       const ReadSpec& spec) {
  const bool raw = spec.max_points == 0 && spec.reduction == Reduction::kNone;
  const bool other = rate.per == (spec.axis == Axis::kStep ? RateUnit::kSecond
                                                           : RateUnit::kStep);
  if (raw || !other) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      field, ".rate.per: buckets have places on the axis only: per ",
      spec.axis == Axis::kStep ? "step" : "second"));
}

absl::Status CheckPair(const std::string& field, const std::string& metric,
                       const std::string& other, const ReadSpec& spec,
                       const std::vector<std::string>& metrics) {
  if (spec.axis != Axis::kStep) {
    return absl::InvalidArgumentError(
        absl::StrCat(field,
                     ": two metrics are paired by step; the axis must "
                     "be that of steps"));
  }
  if (metric == other) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": ", Quoted(metric), " with itself"));
  }
  for (const std::string* name : {&metric, &other}) {
    if (std::find(metrics.begin(), metrics.end(), *name) == metrics.end()) {
      return absl::InvalidArgumentError(absl::StrCat(
          field, ": ", Quoted(*name), " is none of the metrics that are read"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckDerivations(const ReadSpec& spec,
                              const std::vector<std::string>& metrics) {
  if (spec.derivations.size() > kMaxDerivations) {
    return absl::InvalidArgumentError(
        absl::StrCat("derivations: ", spec.derivations.size(),
                     " given, at most ", kMaxDerivations, " are allowed"));
  }
  std::vector<std::string> names = metrics;
  for (size_t i = 0; i < spec.derivations.size(); ++i) {
    const std::string field = absl::StrCat("derivations[", i, "]");
    const Derivation& derivation = spec.derivations[i];
    absl::Status checked;
    if (const auto* ema = std::get_if<Ema>(&derivation)) {
      checked = CheckEma(field, *ema);
    } else if (const auto* rate = std::get_if<Rate>(&derivation)) {
      checked = CheckRate(field, *rate, spec);
    } else if (const auto* d = std::get_if<Difference>(&derivation)) {
      checked = CheckPair(absl::StrCat(field, ".difference"), d->metric,
                          d->other, spec, names);
      names.push_back(
          PairName(d->metric, d->other, PairOperation::kDifference));
    } else if (const auto* r = std::get_if<Ratio>(&derivation)) {
      checked = CheckPair(absl::StrCat(field, ".ratio"), r->metric, r->other,
                          spec, names);
      names.push_back(PairName(r->metric, r->other, PairOperation::kRatio));
    }
    if (!checked.ok()) return checked;
  }
  return absl::OkStatus();
}

}  // namespace waterflow::storage
