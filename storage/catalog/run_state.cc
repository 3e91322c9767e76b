#include "storage/catalog/run_state.h"

namespace waterflow::storage {

absl::btree_map<uint32_t, int64_t> RunState::HidingSteps() const {
  absl::btree_map<uint32_t, int64_t> steps;
  for (const auto& [attempt, value] : attempts) {
    if (value.resume_step.has_value()) {
      steps[attempt] = *value.resume_step;
    } else if (value.first_step.has_value()) {
      steps[attempt] = *value.first_step;
    }
  }
  return steps;
}

}  // namespace waterflow::storage
