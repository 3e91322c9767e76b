// Asks the engine and the naive one the same questions and says where the
// answers differ, bit for bit.
#ifndef WATERFLOW_TESTS_MODEL_COMPARE_H_
#define WATERFLOW_TESTS_MODEL_COMPARE_H_

#include <cstdint>
#include <string>

#include "storage/engine.h"
#include "tests/model/naive_engine.h"

namespace waterflow::storage::model {

// Empty when all is equal; else what was asked, got and expected. Times that
// the server gave are learnt from the first answer and must stay.
std::string CompareRun(Engine* engine, NaiveRun& run, uint64_t seed);

// Projects, which runs there are, and that what was deleted is gone.
std::string CompareCatalog(Engine* engine, const NaiveEngine& naive);

}  // namespace waterflow::storage::model

#endif  // WATERFLOW_TESTS_MODEL_COMPARE_H_
