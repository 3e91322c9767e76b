// Which runs, metrics and workers a question is about, beyond a list of names.
// The meaning of every field is that of ReadRequest.
#ifndef WATERFLOW_STORAGE_SELECTION_H_
#define WATERFLOW_STORAGE_SELECTION_H_

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "storage/model/ids.h"
#include "storage/model/records.h"

namespace waterflow::storage {

// The runs that a search finds.
struct RunFilter {
  std::string filter;
  std::vector<std::string> projects;  // empty: all
  std::vector<std::string> order_by;
  uint32_t limit = 0;  // 0: kDefaultSearchPageSize
};

struct MetricPatterns {
  std::vector<std::string> globs;
  std::vector<std::string> regexes;

  bool empty() const { return globs.empty() && regexes.empty(); }
  size_t size() const { return globs.size() + regexes.size(); }
};

// Holds both ends.
struct RankRange {
  uint32_t first = 0;
  uint32_t last = std::numeric_limits<uint32_t>::max();
};

// Both narrow; an empty list does not.
struct WorkerFilter {
  std::vector<RankRange> ranks;
  std::vector<std::string> roles;

  bool empty() const { return ranks.empty() && roles.empty(); }
  bool Takes(const Worker& worker) const {
    const auto holds = [&](const RankRange& range) {
      return range.first <= worker.rank && worker.rank <= range.last;
    };
    return (ranks.empty() || std::any_of(ranks.begin(), ranks.end(), holds)) &&
           (roles.empty() ||
            std::find(roles.begin(), roles.end(), worker.role) != roles.end());
  }
};

// All that a question may say about it.
struct Selection {
  std::vector<Uuid> runs;
  std::optional<RunFilter> run_filter;
  std::vector<std::string> metrics;
  MetricPatterns metric_patterns;
  std::optional<std::vector<Worker>> workers;  // absent: all
  WorkerFilter worker_filter;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_SELECTION_H_
