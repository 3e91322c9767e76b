// Tables of runs against the naive engine: most of all that what is kept of a
// run is never believed when it is out of date.
#ifndef WATERFLOW_TESTS_MODEL_COMPARE_TABLE_H_
#define WATERFLOW_TESTS_MODEL_COMPARE_TABLE_H_

#include <cstdint>
#include <string>

#include "storage/engine.h"
#include "tests/model/naive_engine.h"

namespace waterflow::storage::model {

// Empty when some metrics of the run read as they should, each by some
// statistic, its workers reduced in some way; else what differs.
std::string CompareTable(Engine* engine, const NaiveRun& run, uint64_t seed);

}  // namespace waterflow::storage::model

#endif  // WATERFLOW_TESTS_MODEL_COMPARE_TABLE_H_
