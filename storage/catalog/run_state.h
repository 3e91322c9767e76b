// One run as the catalog keeps it in memory: its record, its workers, schemas,
// attempts and lost ranges. Plain data with the look-ups that readers need.
#ifndef WATERFLOW_STORAGE_CATALOG_RUN_STATE_H_
#define WATERFLOW_STORAGE_CATALOG_RUN_STATE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "storage/format/catalog_record.h"
#include "storage/model/ids.h"
#include "storage/model/records.h"

namespace waterflow::storage {

// A schema of a run. Immutable, so that sessions may hold on to it.
struct SchemaState {
  SchemaId id;
  std::vector<MetricId> metrics;
  std::vector<std::string> names;  // of the metrics, in column order
};

// Where a metric stands: one column of one schema.
struct MetricPlace {
  SchemaId schema;
  uint32_t column = 0;
};

struct RunState {
  RunId id;
  RunValue value;
  std::vector<WorkerValue> workers;  // by WorkerId
  absl::flat_hash_map<Worker, WorkerId> worker_ids;
  std::vector<std::shared_ptr<const SchemaState>> schemas;  // by SchemaId
  absl::flat_hash_map<std::vector<MetricId>, SchemaId> schema_ids;
  // Metrics of the run and their columns, in the order of the schemas.
  absl::btree_map<MetricId, std::vector<MetricPlace>> places;
  absl::btree_map<MetricId, Metric> metadata;
  absl::btree_map<uint32_t, AttemptValue> attempts;
  std::vector<LostValue> lost;
  absl::btree_set<RunId> forks;  // runs whose parent this one is
  // Since Catalog::TakeChangedRuns() named it last: `value` became another, or
  // what follows.
  bool changed = false;
  // Other rows of it are read, or workers are reduced in another way.
  bool reading_changed = false;

  // From which step on each attempt hides the lower ones (DESIGN: attempts):
  // the resume step it gave, else the first step that it logged. Attempts of
  // which neither is known hide nothing yet.
  absl::btree_map<uint32_t, int64_t> HidingSteps() const;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_CATALOG_RUN_STATE_H_
