// Backups by RocksDB's BackupEngine: files that are there already are not
// copied again, every file carries a checksum, and the log is copied as it is
// rather than flushed (its memtable is to die in memory).
#ifndef WATERFLOW_STORAGE_KEEP_BACKUP_H_
#define WATERFLOW_STORAGE_KEEP_BACKUP_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/backup.h"
#include "storage/database/database.h"

namespace waterflow::storage {

// Holds all that was durable when it was called. The caller sees to it that
// there is one at a time.
absl::StatusOr<MadeBackup> MakeBackup(Database* database,
                                      const BackupOptions& options);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_KEEP_BACKUP_H_
