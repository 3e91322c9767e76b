// Derivations over parts: the same however a series is cut, and what is
// promised of values that are not finite, of gaps and of several values at one
// step.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/model/limits.h"
#include "storage/query/derive.h"

namespace waterflow::storage {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsNan;
using ::testing::Pointwise;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

struct Input {
  std::string metric = "m";
  uint32_t rank = 0;
  std::vector<int64_t> steps;
  std::vector<double> values;
};

SeriesPart PartOf(const Input& input, size_t from, size_t to) {
  SeriesPart part;
  part.metric = input.metric;
  part.worker = Worker{.role = "", .rank = input.rank};
  for (size_t i = from; i < to; ++i) {
    part.points.steps.push_back(input.steps[i]);
    part.points.times_ns.push_back(input.steps[i] * 500'000'000);
    part.points.values.push_back(input.values[i]);
  }
  return part;
}

// The points that come out, by metric and rank; each series goes in in parts of
// `cut` points.
using Derived = std::map<std::pair<std::string, uint32_t>, Points>;
Derived Derive(const std::vector<Derivation>& derivations,
               const std::vector<Input>& inputs, size_t cut,
               Axis axis = Axis::kStep) {
  ReadSpec spec;
  spec.axis = axis;
  spec.derivations = derivations;
  Derived derived;
  const PartSink sink = [&](SeriesPart part) {
    EXPECT_GT(part.points.size(), 0);
    Points& points = derived[{part.metric, part.worker->rank}];
    for (size_t i = 0; i < part.points.size(); ++i) {
      points.steps.push_back(part.points.steps[i]);
      points.times_ns.push_back(part.points.times_ns[i]);
      points.values.push_back(part.points.values[i]);
    }
    return absl::OkStatus();
  };
  const auto deriver = MakeDeriver(spec, sink);
  for (const Input& input : inputs) {
    for (size_t from = 0; from < input.values.size(); from += cut) {
      EXPECT_TRUE(deriver
                      ->Add(PartOf(input, from,
                                   std::min(from + cut, input.values.size())))
                      .ok());
    }
  }
  EXPECT_TRUE(deriver->Finish().ok());
  return derived;
}

std::vector<double> ValuesOf(const Derivation& derivation,
                             const std::vector<int64_t>& steps,
                             const std::vector<double>& values,
                             Axis axis = Axis::kStep) {
  return Derive({derivation}, {{.steps = steps, .values = values}}, 1000,
                axis)[{"m", 0}]
      .values;
}

TEST(DeriveTest, AnEmaIsTensorBoardsDebiasedOne) {
  // As its smoother computes it: last = last * w + (1 - w) * v, then divided by
  // 1 - w^n.
  const std::vector<double> values = {3, 1, 4, 1, 5, 9, 2, 6};
  const double w = 0.6;
  std::vector<double> expected;
  double last = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    last = last * w + (1 - w) * values[i];
    expected.push_back(last / (1 - std::pow(w, i + 1)));
  }
  EXPECT_THAT(ValuesOf(Ema{.weight = w, .half_life = {}},
                       {0, 1, 2, 3, 4, 5, 6, 7}, values),
              Pointwise(DoubleNear(1e-12), expected));
}

TEST(DeriveTest, AnEmaByHalfLifeForgetsWithTheDistance) {
  EXPECT_THAT(
      ValuesOf(Ema{.weight = {}, .half_life = 10}, {0, 10, 30}, {0, 3, 7}),
      ElementsAre(0, DoubleNear(2, 1e-12),
                  DoubleNear((7 + 3 * 0.25) / (1 + 0.25 + 0.125), 1e-12)));
  // In seconds on an axis of time: a step is half a second here.
  EXPECT_THAT(
      ValuesOf(Ema{.weight = {}, .half_life = 5}, {0, 10}, {0, 3}, Axis::kTime),
      ElementsAre(0, DoubleNear(2, 1e-12)));
}

TEST(DeriveTest, ExtremesDoNotOverflowAnEma) {
  const double most = std::numeric_limits<double>::max();
  for (const double value : ValuesOf(Ema{.weight = 0.9, .half_life = {}},
                                     {0, 1, 2, 3}, {most, most, -most, most})) {
    EXPECT_TRUE(std::isfinite(value)) << value;
  }
}

TEST(DeriveTest, WhatIsNotFiniteComesOutAndTakesNoPart) {
  EXPECT_THAT(ValuesOf(Cumulative{}, {0, 1, 2, 3}, {1, kNan, kInf, 2}),
              ElementsAre(1, IsNan(), kInf, 3));
  EXPECT_THAT(ValuesOf(Rate{}, {0, 1, 2}, {1, kNan, 5}),
              ElementsAre(IsNan(), 2));
  EXPECT_THAT(
      ValuesOf(Ema{.weight = 0, .half_life = {}}, {0, 1, 2}, {-kInf, 1, 5}),
      ElementsAre(-kInf, 1, 5));
}

TEST(DeriveTest, ARateIsAgainstTheLastValueAtAnEarlierPlace) {
  EXPECT_THAT(ValuesOf(Rate{}, {0, 2, 2, 5}, {1, 5, 9, 0}),
              ElementsAre(2, 4, -3));
  EXPECT_THAT(ValuesOf(Rate{RateUnit::kSecond}, {0, 2}, {1, 5}),
              ElementsAre(4));
  EXPECT_THAT(ValuesOf(Rate{RateUnit::kStep}, {0, 2}, {1, 5}, Axis::kTime),
              ElementsAre(2));
}

TEST(DeriveTest, ASumKeepsSmallValuesBesideALargeTotal) {
  EXPECT_THAT(ValuesOf(Cumulative{}, {0, 1, 2, 3}, {1e100, 1, -1e100, 1}),
              ElementsAre(1e100, 1e100, 1, 2));
}

TEST(DeriveTest, PairsMeetStepByStep) {
  const std::vector<Input> inputs = {
      {.metric = "b",
       .rank = 0,
       .steps = {0, 2, 3, 3, 9},
       .values = {1, 2, 3, 4, 5}},
      {.metric = "b", .rank = 7, .steps = {0}, .values = {1}},
      {.metric = "x", .rank = 0, .steps = {1}, .values = {42}},
      {.metric = "a",
       .rank = 0,
       .steps = {2, 2, 3, 5, 9},
       .values = {9, 10, 20, 30, 0}},
  };
  for (const size_t cut : {1, 2, 100}) {
    Derived derived = Derive({Difference{"a", "b"}}, inputs, cut);
    ASSERT_EQ(derived.size(), 2);  // rank 7 logged only one of the two
    EXPECT_THAT((derived[{"x", 0}].values), ElementsAre(42));
    EXPECT_THAT((derived[{"a - b", 0}].steps), ElementsAre(2, 3, 9));
    EXPECT_THAT((derived[{"a - b", 0}].values), ElementsAre(8, 16, -5));
    derived = Derive({Ratio{"b", "a"}}, inputs, cut);
    EXPECT_THAT((derived[{"b / a", 0}].values), ElementsAre(0.2, 0.2, kInf));
    derived = Derive({Difference{"a", "b"}, Cumulative{}}, inputs, cut);
    EXPECT_THAT((derived[{"a - b", 0}].values), ElementsAre(8, 24, 19));
    derived = Derive({Cumulative{}, Difference{"a", "b"}}, inputs, cut);
    EXPECT_THAT((derived[{"a - b", 0}].values), ElementsAre(16, 29, 54));
  }
}

TEST(DeriveTest, CuttingASeriesIntoPartsChangesNothing) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  std::vector<Input> inputs;
  for (const char* metric : {"a", "b"}) {
    for (uint32_t rank = 0; rank < 3; ++rank) {
      Input input{.metric = metric, .rank = rank, .steps = {}, .values = {}};
      int64_t step = 0;
      for (int i = 0; i < 200; ++i) {
        step += random() % 3;
        input.steps.push_back(step);
        input.values.push_back(random() % 20 == 0   ? kNan
                               : random() % 20 == 0 ? kInf
                                                    : random() % 1000 / 7.0);
      }
      inputs.push_back(input);
    }
  }
  const std::vector<std::vector<Derivation>> chains = {
      {Ema{.weight = 0.7, .half_life = {}}},
      {Ema{.weight = {}, .half_life = 4}},
      {Rate{}},
      {Rate{RateUnit::kSecond}},
      {Cumulative{}},
      {Difference{"a", "b"}},
      {Ratio{"a", "b"}, Ema{.weight = 0.5, .half_life = {}}, Rate{}}};
  for (const auto& chain : chains) {
    const Derived whole = Derive(chain, inputs, 1000);
    for (const size_t cut : {1, 3, 64}) {
      const Derived parts = Derive(chain, inputs, cut);
      ASSERT_EQ(parts.size(), whole.size());
      for (const auto& [series, points] : whole) {
        const Points& same = parts.at(series);
        ASSERT_EQ(same.steps, points.steps);
        for (size_t i = 0; i < points.size(); ++i) {
          EXPECT_EQ(std::bit_cast<uint64_t>(same.values[i]),
                    std::bit_cast<uint64_t>(points.values[i]));
        }
      }
    }
  }
}

TEST(DeriveTest, OfBucketsTheValueIsDerivedAndTheRestStays) {
  ReadSpec spec;
  spec.max_points = 10;
  spec.derivations = {Rate{}};
  std::vector<Bucket> out;
  const PartSink sink = [&](SeriesPart part) {
    out.insert(out.end(), part.buckets.begin(), part.buckets.end());
    return absl::OkStatus();
  };
  const auto deriver = MakeDeriver(spec, sink);
  for (int i = 0; i < 3; ++i) {
    SeriesPart part;
    part.metric = "m";
    part.buckets.push_back({.first_position = i * 10,
                            .last_position = i * 10 + 5,
                            .value = i * 20.0,
                            .max = 7.0 + i});
    ASSERT_TRUE(deriver->Add(std::move(part)).ok());
  }
  ASSERT_TRUE(deriver->Finish().ok());
  ASSERT_EQ(out.size(), 2);
  EXPECT_EQ(out[0].value, 2);
  EXPECT_EQ(out[0].max, 8);
  EXPECT_EQ(out[1].first_position, 20);
}

TEST(DeriveTest, BadDerivationsAreNamed) {
  const auto error = [](const std::vector<Derivation>& derivations,
                        Axis axis = Axis::kStep, uint32_t max_points = 0) {
    ReadSpec spec;
    spec.axis = axis;
    spec.max_points = max_points;
    spec.derivations = derivations;
    return std::string(CheckDerivations(spec, {"a", "b"}).message());
  };
  EXPECT_EQ(error({}), "");
  EXPECT_EQ(error({Difference{"a", "b"}, Cumulative{}}), "");
  EXPECT_THAT(error({Cumulative{}, Ema{.weight = 1, .half_life = {}}}),
              HasSubstr("derivations[1].ema.weight 1"));
  EXPECT_THAT(error({Ema{.weight = kNan, .half_life = {}}}),
              HasSubstr("derivations[0].ema.weight nan"));
  EXPECT_THAT(error({Ema{}}), HasSubstr("neither a weight nor a half_life"));
  EXPECT_THAT(error({Ema{.weight = {}, .half_life = 0}}),
              HasSubstr("half_life 0"));
  EXPECT_THAT(error({Difference{"a", "c"}}),
              HasSubstr("derivations[0].difference: \"c\" is none of"));
  EXPECT_THAT(error({Ratio{"a", "a"}}), HasSubstr("with itself"));
  EXPECT_THAT(error({Ratio{"a", "b"}}, Axis::kTime),
              HasSubstr("the axis must be that of steps"));
  EXPECT_THAT(error({Rate{RateUnit::kSecond}}, Axis::kStep, 10),
              HasSubstr("derivations[0].rate.per"));
  EXPECT_THAT(error(std::vector<Derivation>(9, Cumulative{})),
              HasSubstr("derivations: 9 given, at most 8"));
}

TEST(DeriveTest, PairsThatWouldTakeTooMuchMemoryAreRefused) {
  ReadSpec spec;
  spec.derivations = {Difference{"a", "b"}};
  const PartSink sink = [](SeriesPart) { return absl::OkStatus(); };
  const auto deriver = MakeDeriver(spec, sink);
  Input input{.metric = "a", .rank = 0, .steps = {}, .values = {}};
  input.steps.resize(kPartPoints);
  input.values.resize(kPartPoints);
  absl::Status status;
  for (size_t i = 0; i <= kMaxPairedPoints / kPartPoints && status.ok(); ++i) {
    status = deriver->Add(PartOf(input, 0, kPartPoints));
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("4194304 points"));
}

}  // namespace
}  // namespace waterflow::storage
