// A figure that the project promises to keep, and what was found.
#ifndef WATERFLOW_BENCH_GOAL_H_
#define WATERFLOW_BENCH_GOAL_H_

#include <ostream>
#include <string>
#include <vector>

namespace waterflow::bench {

struct Goal {
  std::string what;
  double value = 0;
  double limit = 0;
  std::string unit;
  bool at_least = false;  // or at most

  bool met() const { return at_least ? value >= limit : value <= limit; }
};

void PrintGoals(const std::vector<Goal>& goals, std::ostream& out);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_GOAL_H_
