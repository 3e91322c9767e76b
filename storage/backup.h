// Backups of a store: several in one folder, sharing the files that did not
// change between them.
#ifndef WATERFLOW_STORAGE_BACKUP_H_
#define WATERFLOW_STORAGE_BACKUP_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace waterflow::storage {

struct BackupOptions {
  std::string path = "";  // absolute; made when missing
  uint32_t keep = 0;      // backups to keep, the newest; 0: all
  // Reads the backup again and compares checksums.
  bool verify = false;
  // Called now and then while files are copied.
  std::function<void()> progress = nullptr;
};

struct BackupInfo {
  uint32_t id = 0;
  int64_t made_ns = 0;
  uint64_t bytes = 0;  // of all its files, shared ones included
  uint64_t files = 0;
};

struct MadeBackup {
  BackupInfo backup;
  uint64_t bytes_added = 0;  // to the folder
};

struct RestoreOptions {
  std::string from = "";
  uint32_t id = 0;  // 0: the newest
  std::string data_dir = "";
};

// Oldest first. NOT_FOUND when the folder holds none, INVALID_ARGUMENT unless
// it is absolute.
absl::StatusOr<std::vector<BackupInfo>> ListBackups(const std::string& path);

// Into a folder that is missing or empty (else ALREADY_EXISTS), comparing the
// checksum of every file. Nothing is left behind when that fails.
absl::StatusOr<BackupInfo> RestoreBackup(const RestoreOptions& options);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_BACKUP_H_
