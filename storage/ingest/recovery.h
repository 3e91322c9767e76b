// What happens when a store opens: forget generations that never committed,
// load the catalog as of the sealed position, and replay the log from there.
// The sealed position alone decides what is replayed.
#ifndef WATERFLOW_STORAGE_INGEST_RECOVERY_H_
#define WATERFLOW_STORAGE_INGEST_RECOVERY_H_

#include "absl/status/statusor.h"
#include "storage/catalog/catalog.h"
#include "storage/database/database.h"
#include "storage/ingest/live_state.h"
#include "storage/ingest/log.h"

namespace waterflow::storage {

struct Recovered {
  Position last;  // of the log
  uint64_t replayed_rows = 0;
};

// DATA_LOSS names what cannot be read.
absl::StatusOr<Recovered> Recover(Database* database, Log* log,
                                  Catalog* catalog, LiveState* state);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_INGEST_RECOVERY_H_
