// Keeping: what guards the values once they are in.
#include "storage/engine_core.h"
#include "storage/keep/backup.h"
#include "storage/keep/verify.h"

namespace waterflow::storage {

absl::Status EngineCore::WaitForRoom() {
  if (absl::Status s = disk_reserve_.Check(); !s.ok()) return s;
  return sealer_.WaitForRoom();
}

absl::StatusOr<MadeBackup> EngineCore::Backup(const BackupOptions& options) {
  if (backing_up_.exchange(true)) {
    return absl::AbortedError("another backup is being made");
  }
  absl::StatusOr<MadeBackup> made = MakeBackup(database_.get(), options);
  backing_up_ = false;
  return made;
}

absl::StatusOr<VerifyReport> EngineCore::Verify(
    const VerifyObserver& observer) {
  // Files of a generation stay as long as somebody holds it.
  const auto pins = state_.generations();
  return storage::Verify(*database_, observer);
}

absl::StatusOr<VerifyReport> VerifyOffline(const EngineOptions& options,
                                           const VerifyObserver& observer) {
  absl::StatusOr<std::unique_ptr<Database>> database =
      Database::OpenReadOnly(options);
  if (!database.ok()) return database.status();
  return storage::Verify(**database, observer);
}

}  // namespace waterflow::storage
