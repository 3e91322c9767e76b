// Makes a failing list of operations shorter.
#ifndef WATERFLOW_TESTS_MODEL_SHRINK_H_
#define WATERFLOW_TESTS_MODEL_SHRINK_H_

#include <functional>
#include <vector>

#include "absl/time/time.h"
#include "tests/model/operations.h"

namespace waterflow::storage::model {

// Delta debugging (Zeller and Hildebrandt 2002) by halves: leaves out parts as
// long as `fails` still says so, for at most `budget`. Threads have their own
// mind, so a list that failed once need not fail again: then it stays as long
// as it is.
std::vector<Operation> Shrink(
    std::vector<Operation> operations,
    const std::function<bool(const std::vector<Operation>&)>& fails,
    absl::Duration budget);

}  // namespace waterflow::storage::model

#endif  // WATERFLOW_TESTS_MODEL_SHRINK_H_
