// Reads everything of a store and says what is wrong with it: meta, catalog,
// log, and every axis, block and summaries value of every generation. What it
// reads it reads at one moment; ingest goes on meanwhile.
#ifndef WATERFLOW_STORAGE_KEEP_VERIFY_H_
#define WATERFLOW_STORAGE_KEEP_VERIFY_H_

#include "absl/status/statusor.h"
#include "storage/database/database.h"
#include "storage/verify.h"

namespace waterflow::storage {

// The caller sees to it that no generation is dropped meanwhile. Problems are
// no error: they are counted in the report. CANCELLED or whatever else
// observer.progress answered.
absl::StatusOr<VerifyReport> Verify(const Database& database,
                                    const VerifyObserver& observer);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_KEEP_VERIFY_H_
