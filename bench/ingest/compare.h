// Two runs of scripts/bench ingest against each other: what became different
// by more than repetitions differ among themselves.
#ifndef WATERFLOW_BENCH_INGEST_COMPARE_H_
#define WATERFLOW_BENCH_INGEST_COMPARE_H_

#include <ostream>
#include <string>
#include <vector>

#include "bench/ingest/results.h"

namespace waterflow::bench {

enum class Verdict {
  kSame,    // the repetitions of one lie among those of the other
  kBetter,  // every one of B is better than every one of A
  kWorse,
  kOther,  // as far apart, of something that is neither good nor bad
  kFew,    // too few repetitions to say
};

struct Change {
  std::string name;  // of the shape
  std::string subject;
  std::string measure;
  Spread a;
  Spread b;
  Verdict verdict = Verdict::kSame;
};

// Of every measure that both have, in the order of A. Repetitions count as
// different when all of one lie above all of the other, for which by chance
// the odds are 1 in 10 of three each and 1 in 126 of five, and when medians are
// more than `least` apart.
std::vector<Change> Compare(const Results& a, const Results& b,
                            double least = 0.02);

// Only what is different, and how much was looked at.
void PrintChanges(const Results& a, const Results& b,
                  const std::vector<Change>& changes, std::ostream& out);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_INGEST_COMPARE_H_
