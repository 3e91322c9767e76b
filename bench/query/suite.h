// scripts/bench query: every question to every subject, and what the answers
// cost ingest that runs beside them.
#ifndef WATERFLOW_BENCH_QUERY_SUITE_H_
#define WATERFLOW_BENCH_QUERY_SUITE_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "bench/goal.h"
#include "bench/peers/peer.h"
#include "bench/query/beside.h"
#include "bench/query/subject.h"

namespace waterflow::bench {

struct QueryOptions {
  std::vector<std::string> questions;          // keys; empty: all
  std::vector<std::string> subjects;           // empty: all
  absl::Duration duration = absl::Seconds(3);  // of each question
  // Of ingest alone, and of ingest with dashboards; zero: neither.
  absl::Duration beside = absl::Seconds(20);
  PeerOptions peer;
};

struct QueryCell {
  Question question;
  std::string subject;
  Measured measured;
};

struct QueryResults {
  std::string date;
  std::string machine;
  std::vector<std::string> versions;  // "duckdb: 1.4 ..."
  std::vector<std::string> skipped;   // "prometheus: not installed ..."
  std::vector<QueryCell> cells;       // in the order of questions and subjects
  std::optional<BesideResult> beside;

  const Measured* Find(const std::string& question,
                       const std::string& subject) const;
  // What is promised of what was measured.
  std::vector<Goal> Goals() const;
};

// Fills `results` as it goes.
absl::Status RunQuestions(const QueryOptions& options, QueryResults* results);

void PrintQuestions(const QueryResults& results, std::ostream& out);
std::string ToJson(const QueryResults& results);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_QUERY_SUITE_H_
