// Verifies the log beyond the sealed position: groups without a gap, records
// that can be read, batches that fit their schema, lanes that only go forward.
#ifndef WATERFLOW_STORAGE_KEEP_LOG_CHECK_H_
#define WATERFLOW_STORAGE_KEEP_LOG_CHECK_H_

#include "absl/container/btree_set.h"
#include "storage/keep/catalog_check.h"
#include "storage/keep/verify_run.h"
#include "storage/model/ids.h"

namespace waterflow::storage {

// `catalog` is that of the sealed position; the log changes it. Returns the
// runs that the log deletes.
absl::btree_set<RunId> CheckLog(Position sealed, CatalogCheck catalog,
                                VerifyRun* run);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_KEEP_LOG_CHECK_H_
