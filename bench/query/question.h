// The questions that scripts/bench query asks, of which data, and what they may
// cost.
#ifndef WATERFLOW_BENCH_QUERY_QUESTION_H_
#define WATERFLOW_BENCH_QUERY_QUESTION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "bench/w1.h"

namespace waterflow::bench {

enum class QuestionKind {
  kOneSeries,  // the points of one worker
  kAllRaw,     // the points of all workers
  kPerStep,    // mean, least and greatest over the workers, at each step
  kBuckets,    // mean, least and greatest of each worker, in `buckets` spans
};

struct Question {
  std::string key;   // "one", for --only
  std::string name;  // "one series, raw", in tables
  QuestionKind kind = QuestionKind::kOneSeries;
  uint32_t buckets = 0;
  // Server CPU, at most; what the wall time at a client is held against, too.
  double cpu_ms = 0;
};

// Data and what is asked of it, always of W1's first metric.
struct QuestionSet {
  std::string key;   // "w1"
  std::string name;  // "256 workers x 100 metrics x 400 steps"
  W1Options data;
  // One value of the metric, in the middle of nowhere, that a chart must show.
  bool spike = false;
  std::vector<Question> questions;
  std::vector<std::string> subjects;

  // How many steps a bucket of the question has; 1 where it has none.
  uint32_t BucketSteps(const Question& question) const {
    return question.buckets == 0
               ? 1
               : (data.steps + question.buckets - 1) / question.buckets;
  }
};

// The value of a spike.
inline constexpr double kSpike = 1e6;
// The worker of kOneSeries.
inline constexpr uint32_t kOneRank = 17;

// Subjects by name, in the order of tables; the others are those of ingest.
inline constexpr char kDuckDb[] = "duckdb";

const std::vector<QuestionSet>& QuestionSets();
std::vector<std::string> QuestionKeys();

// How many numbers an answer must have at least, of which `values` are asked
// for at each point or bucket: 1, or 3 for mean, least and greatest.
uint64_t LeastPoints(const QuestionSet& set, const Question& question);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_QUERY_QUESTION_H_
