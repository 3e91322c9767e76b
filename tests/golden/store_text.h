// All that a store answers, as text: what a golden data directory is compared
// with. Records of "key: value" lines, as golden_file.h reads them.
#ifndef WATERFLOW_TESTS_GOLDEN_STORE_TEXT_H_
#define WATERFLOW_TESTS_GOLDEN_STORE_TEXT_H_

#include <string>
#include <vector>

#include "storage/engine.h"

namespace waterflow::storage {

// One record per project, run, worker, metric, lost range and series, each of
// them in a fixed order. Values are the shortest decimals that read back to
// their bits, a NaN has its bits in hexadecimal; "ITEMxN" is N of them; steps
// and times of a series are differences behind the first.
std::vector<std::string> StoreText(Engine* engine);
// The same of one run.
std::vector<std::string> RunText(Engine* engine, const Run& run);

}  // namespace waterflow::storage

#endif  // WATERFLOW_TESTS_GOLDEN_STORE_TEXT_H_
