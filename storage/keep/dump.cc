#include "storage/dump.h"

#include "storage/database/database.h"
#include "storage/keep/verify_run.h"

namespace waterflow::storage {

absl::Status DumpOffline(const EngineOptions& options, const DumpSink& sink) {
  absl::StatusOr<std::unique_ptr<Database>> database =
      Database::OpenReadOnly(options);
  if (!database.ok()) return database.status();
  for (const Family family :
       {Family::kMeta, Family::kCatalog, Family::kLog, Family::kAxis,
        Family::kBlocks, Family::kSummaries}) {
    auto it = (*database)->Iterate(family);
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      if (absl::Status s =
              sink(FamilyName(family), ToView(it->key()), ToView(it->value()));
          !s.ok()) {
        return s;
      }
    }
    if (!it->status().ok()) return ToStatus(it->status(), "dump");
  }
  return absl::OkStatus();
}

}  // namespace waterflow::storage
