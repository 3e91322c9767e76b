// Verifies generations: that each axis, block and summaries value that ought to
// be there is, carries the right checksum, decodes, and agrees with the others
// and with the catalog's counts.
#ifndef WATERFLOW_STORAGE_KEEP_GENERATION_CHECK_H_
#define WATERFLOW_STORAGE_KEEP_GENERATION_CHECK_H_

#include <vector>

#include "absl/container/btree_set.h"
#include "storage/ingest/generation.h"
#include "storage/keep/catalog_check.h"
#include "storage/keep/verify_run.h"

namespace waterflow::storage {

// `generations` are those that meta names, oldest first. Of runs that the log
// deletes, in `deleted`, merges may have left out rows already.
void CheckGenerations(const std::vector<Generation>& generations,
                      const CatalogCheck& catalog,
                      const absl::btree_set<RunId>& deleted, VerifyRun* run);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_KEEP_GENERATION_CHECK_H_
