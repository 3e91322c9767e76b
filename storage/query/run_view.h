// What a reader needs to know of a run, copied out of the catalog so that no
// lock is held while it reads.
#ifndef WATERFLOW_STORAGE_QUERY_RUN_VIEW_H_
#define WATERFLOW_STORAGE_QUERY_RUN_VIEW_H_

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_set.h"
#include "storage/catalog/run_state.h"
#include "storage/format/axis.h"
#include "storage/model/ids.h"
#include "storage/model/records.h"
#include "storage/read.h"

namespace waterflow::storage {

// A metric and the columns it has in the run's schemas.
struct MetricView {
  std::string name;
  Reduction reduction = Reduction::kMean;
  std::vector<MetricPlace> places;
};

struct RunView {
  RunId id;
  Uuid uuid;
  int64_t start_ns = 0;
  std::vector<Worker> workers;  // by WorkerId
  // Absent: all of them.
  std::optional<absl::flat_hash_set<WorkerId>> selected;
  std::vector<std::shared_ptr<const SchemaState>> schemas;  // by SchemaId
  std::vector<MetricView> metrics;
  // From which step on an attempt hides the lower ones.
  absl::btree_map<uint32_t, int64_t> hiding_steps;
  // Absent: all of them.
  std::optional<uint32_t> only_attempt;
  std::vector<LostRange> lost;
  // Of a run that another was forked from, what is read for that: attempts up
  // to this one, and rows with a step below this one.
  uint32_t last_attempt = std::numeric_limits<uint32_t>::max();
  std::optional<int64_t> steps_below;

  bool Selects(const Strip& strip) const {
    return (!selected.has_value() || selected->contains(strip.worker)) &&
           strip.attempt <= last_attempt &&
           strip.attempt == only_attempt.value_or(strip.attempt) &&
           (strip.has_step || !steps_below.has_value());
  }
  // Rows of `attempt` with a step at or beyond this step are hidden; absent:
  // none is. (No step can stand for that: a row may have the greatest one.)
  std::optional<int64_t> HiddenFrom(uint32_t attempt) const {
    std::optional<int64_t> step = steps_below;
    for (auto it = hiding_steps.upper_bound(attempt); it != hiding_steps.end();
         ++it) {
      step = std::min(step.value_or(it->second), it->second);
    }
    return step;
  }
  // The schemas in which any of `metrics` has a column.
  std::vector<SchemaId> SchemasRead() const;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_RUN_VIEW_H_
