// The figures that ingest has to reach, from what was measured in one run.
#ifndef WATERFLOW_BENCH_INGEST_GOALS_H_
#define WATERFLOW_BENCH_INGEST_GOALS_H_

#include <vector>

#include "bench/ingest/results.h"

namespace waterflow::bench {

// Those whose parts were measured.
std::vector<Goal> IngestGoals(const Results& results);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_INGEST_GOALS_H_
