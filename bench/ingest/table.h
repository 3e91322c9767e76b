// The results of ingest as a table for people.
#ifndef WATERFLOW_BENCH_INGEST_TABLE_H_
#define WATERFLOW_BENCH_INGEST_TABLE_H_

#include <ostream>

#include "bench/ingest/results.h"

namespace waterflow::bench {

void PrintIngest(const Results& results, std::ostream& out);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_INGEST_TABLE_H_
