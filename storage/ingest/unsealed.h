// Everything that the log says since the last seal began: heads, and changes of
// the catalog. LiveState fills one; a seal takes it whole, and writes a new one
// beside it from then on, so that what is sealed ends at one position of the
// log for all streams alike.
#ifndef WATERFLOW_STORAGE_INGEST_UNSEALED_H_
#define WATERFLOW_STORAGE_INGEST_UNSEALED_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/time/time.h"
#include "storage/catalog/catalog.h"
#include "storage/ingest/head.h"

namespace waterflow::storage {

struct Unsealed {
  // Ordered as the keys of a generation are. Shared with readers: a delete
  // takes its run's tables out while they read.
  absl::btree_map<std::pair<RunId, SchemaId>, std::shared_ptr<HeadTable>>
      tables;
  size_t bytes = 0;
  uint64_t rows = 0;
  // When the first record came; absl::InfiniteFuture() while there is none.
  absl::Time oldest = absl::InfiniteFuture();
  // The last record in it.
  Position last;

  // Keys of the catalog as they stand at `last`.
  std::map<std::string, std::optional<std::string>> changes;
  // Runs deleted since the seal before.
  std::vector<RunId> deleted;

  bool empty() const { return oldest == absl::InfiniteFuture(); }
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_INGEST_UNSEALED_H_
