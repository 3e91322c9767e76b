// What a run of scripts/bench ingest has found, as it is kept in a JSON file:
// for each shape and subject all repetitions of all measures. What is printed,
// drawn and compared is made from this alone.
#ifndef WATERFLOW_BENCH_INGEST_RESULTS_H_
#define WATERFLOW_BENCH_INGEST_RESULTS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "bench/goal.h"
#include "bench/ingest/measures.h"

namespace waterflow::bench {

// The middle of some values, and how far they lie apart.
struct Spread {
  double median = 0;
  double low = 0;
  double high = 0;

  // Half of what lies between low and high, as a part of the median.
  double relative() const;
};

// `values` must not be empty.
Spread SpreadOf(std::vector<double> values);

// One shape on one subject.
struct Cell {
  std::string shape;    // its key
  std::string name;     // of the shape, for people
  std::string subject;  // kWaterflow and so on
  std::vector<Measures> runs;

  std::vector<double> Values(const std::string& measure) const;
  // Nothing when no run has it.
  std::optional<Spread> Get(const std::string& measure) const;
};

// What did not run, and why.
struct Skipped {
  std::string what;
  std::string why;
};

struct SubjectVersion {
  std::string subject;
  std::string version;
};

struct Results {
  std::string date;
  std::string machine;   // "2 x AMD EPYC"
  std::string workload;  // its sizes, windows and repetitions
  std::vector<SubjectVersion> versions;
  std::vector<Skipped> skipped;
  std::vector<Cell> cells;  // in the order of shapes and subjects
  std::vector<Goal> goals;

  const Cell* Find(absl::string_view shape, absl::string_view subject) const;
  // The median; nothing when it was not measured.
  std::optional<double> Median(absl::string_view shape,
                               absl::string_view subject,
                               const std::string& measure) const;
  // Of which there is one afterwards.
  Cell& CellOf(const std::string& shape, const std::string& name,
               const std::string& subject);
};

std::string ToJson(const Results& results);
// INVALID_ARGUMENT when `json` is none of ours. What is computed from the runs
// is left for who needs it to compute again.
absl::StatusOr<Results> FromJson(const std::string& json);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_INGEST_RESULTS_H_
