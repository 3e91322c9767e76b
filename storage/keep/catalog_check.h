// The catalog as a verification sees it: every entry decoded, and whether what
// it points to is there. Follows the log too, which holds changes of the
// catalog.
#ifndef WATERFLOW_STORAGE_KEEP_CATALOG_CHECK_H_
#define WATERFLOW_STORAGE_KEEP_CATALOG_CHECK_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/strings/string_view.h"
#include "storage/format/catalog_record.h"
#include "storage/format/keys.h"
#include "storage/keep/verify_run.h"
#include "storage/model/ids.h"

namespace waterflow::storage {

class CatalogCheck {
 public:
  struct RunEntry {
    absl::btree_map<SchemaId, std::vector<std::string>> schemas;  // their names
    absl::btree_set<uint32_t> workers;
    absl::btree_map<std::pair<SchemaId, WorkerId>, RowCountValue> counts;
    absl::btree_map<std::string, LaneValue> lanes;  // by key
  };

  // Reads the family. Problems go to `run`.
  void Load(VerifyRun* run);

  // A change, on disk or in the log. What is wrong with it, or nothing.
  std::optional<std::string> Set(absl::string_view key,
                                 absl::string_view value);
  void Erase(absl::string_view key);
  void DeleteRun(RunId run) { runs_.erase(run); }

  const absl::btree_map<RunId, RunEntry>& runs() const { return runs_; }
  RunEntry* FindRun(RunId run);

 private:
  std::optional<std::string> SetOfRun(CatalogKind kind, absl::string_view key,
                                      absl::string_view value);

  absl::btree_set<uint32_t> projects_;
  absl::btree_map<uint32_t, std::string> metrics_;
  absl::btree_map<RunId, RunEntry> runs_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_KEEP_CATALOG_CHECK_H_
