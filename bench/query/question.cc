#include "bench/query/question.h"

#include "bench/ingest/shape.h"

namespace waterflow::bench {

const std::vector<QuestionSet>& QuestionSets() {
  using enum QuestionKind;
  static const auto* const kSets = new std::vector<QuestionSet>{
      {.key = "w1",
       .name = "256 workers x 100 metrics x 400 steps",
       .data = {},
       .questions = {{.key = "one",
                      .name = "one series, 400 points",
                      .cpu_ms = 0.2},
                     {.key = "raw",
                      .name = "one metric x 256 workers x 400 steps, raw",
                      .kind = kAllRaw,
                      .cpu_ms = 2},
                     {.key = "step",
                      .name = "mean, min, max over 256 workers per step",
                      .kind = kPerStep,
                      .cpu_ms = 1},
                     {.key = "buckets",
                      .name = "256 workers x 50 buckets: mean, min, max",
                      .kind = kBuckets,
                      .buckets = 50,
                      .cpu_ms = 1}},
       .subjects = {kWaterflow, kVictoriaMetrics, kPrometheus, kDuckDb}},
      {.key = "wide",
       .name = "4,096 workers x 2 metrics x 1,000 steps",
       .data = {.workers = 4096, .metrics = 2, .steps = 1000},
       .questions = {{.key = "wide",
                      .name = "mean, min, max over 4,096 workers per step",
                      .kind = kPerStep,
                      .cpu_ms = 20}},
       .subjects = {kWaterflow, kVictoriaMetrics, kPrometheus, kDuckDb}},
      {.key = "long1",
       .name = "one worker x 2 metrics x 1 M steps",
       .data = {.workers = 1, .metrics = 2, .steps = 1'000'000},
       .spike = true,
       .questions = {{.key = "long1",
                      .name = "1 M points drawn at 1,000",
                      .kind = kBuckets,
                      .buckets = 1000,
                      .cpu_ms = 1.5}},
       .subjects = {kWaterflow, kVictoriaMetrics, kPrometheus, kDuckDb}},
      // Prometheus would cut four months into two thousand blocks first.
      {.key = "long10",
       .name = "one worker x 2 metrics x 10 M steps",
       .data = {.workers = 1, .metrics = 2, .steps = 10'000'000},
       .spike = true,
       .questions = {{.key = "long10",
                      .name = "10 M points drawn at 1,000",
                      .kind = kBuckets,
                      .buckets = 1000,
                      .cpu_ms = 5}},
       .subjects = {kWaterflow, kVictoriaMetrics, kDuckDb}},
  };
  return *kSets;
}

std::vector<std::string> QuestionKeys() {
  std::vector<std::string> keys;
  for (const QuestionSet& set : QuestionSets()) {
    for (const Question& q : set.questions) keys.push_back(q.key);
  }
  return keys;
}

uint64_t LeastPoints(const QuestionSet& set, const Question& question) {
  switch (question.kind) {
    case QuestionKind::kOneSeries:
      return set.data.steps;
    case QuestionKind::kAllRaw:
      return uint64_t{set.data.workers} * set.data.steps;
    case QuestionKind::kPerStep:
      return uint64_t{3} * set.data.steps;
    case QuestionKind::kBuckets:
      // Buckets on a grid may be half as many as could be drawn.
      return uint64_t{3} * set.data.workers * question.buckets / 2;
  }
  return 0;
}

}  // namespace waterflow::bench
