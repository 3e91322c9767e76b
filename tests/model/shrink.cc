#include "tests/model/shrink.h"

#include <algorithm>

#include "absl/time/clock.h"

namespace waterflow::storage::model {

std::vector<Operation> Shrink(
    std::vector<Operation> operations,
    const std::function<bool(const std::vector<Operation>&)>& fails,
    absl::Duration budget) {
  const absl::Time end = absl::Now() + budget;
  for (size_t part = operations.size() / 2; part >= 1;) {
    bool shorter = false;
    for (size_t at = 0; at < operations.size() && absl::Now() < end;) {
      std::vector<Operation> rest(operations.begin(), operations.begin() + at);
      rest.insert(rest.end(),
                  operations.begin() + std::min(at + part, operations.size()),
                  operations.end());
      if (fails(rest)) {
        operations = std::move(rest);
        shorter = true;
      } else {
        at += part;
      }
    }
    if (absl::Now() >= end) break;
    if (!shorter || part > 1) part /= 2;
  }
  return operations;
}

}  // namespace waterflow::storage::model
