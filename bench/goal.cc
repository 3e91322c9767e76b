#include "bench/goal.h"

#include "absl/strings/str_format.h"

namespace waterflow::bench {

void PrintGoals(const std::vector<Goal>& goals, std::ostream& out) {
  if (goals.empty()) return;
  out << absl::StrFormat("\n%-60s %12s %15s\n", "target", "found", "");
  for (const Goal& goal : goals) {
    out << absl::StrFormat("%-60s %12.4g %s %12.4g  %-10s %s\n", goal.what,
                           goal.value, goal.at_least ? ">=" : "<=", goal.limit,
                           goal.unit, goal.met() ? "pass" : "MISS");
  }
}

}  // namespace waterflow::bench
