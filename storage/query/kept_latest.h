// What was derived of runs and kept in the `latest` family: see
// storage/format/latest.h.
#ifndef WATERFLOW_STORAGE_QUERY_KEPT_LATEST_H_
#define WATERFLOW_STORAGE_QUERY_KEPT_LATEST_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "storage/database/database.h"
#include "storage/format/latest.h"
#include "storage/model/ids.h"

namespace waterflow::storage {

// Reads what is kept of one run after another. As of the moment it was made.
class KeptLatest {
 public:
  explicit KeptLatest(const Database* database)
      : it_(database->Iterate(Family::kLatest)) {}

  // The value that is kept of a run that is made of `source`; empty when none
  // is, or when it is damaged: it is derived anew then. Runs ascend from call
  // to call. Good until the next call.
  absl::string_view Find(RunId run, absl::string_view source);

 private:
  const std::unique_ptr<rocksdb::Iterator> it_;
  bool positioned_ = false;
};

// What was derived of a run that was made of `source`.
struct DerivedRun {
  RunId run;
  std::string source;
  std::vector<LatestEntry> entries;  // ascending
};

// Keeps them. Not synced: what is lost is derived again.
absl::Status KeepLatest(Database* database, absl::Span<const DerivedRun> runs);
// For runs that were deleted meanwhile.
absl::Status DropLatest(Database* database, absl::Span<const RunId> runs);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_KEPT_LATEST_H_
