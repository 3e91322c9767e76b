#include "storage/keep/backup.h"

#include <rocksdb/utilities/backup_engine.h>

#include <filesystem>
#include <memory>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/engine.h"

namespace waterflow::storage {
namespace {

absl::Status CheckPath(absl::string_view path) {
  if (absl::StartsWith(path, "/")) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("path \"", path, "\": an absolute path is expected"));
}

uint64_t FolderBytes(const std::string& path) {
  uint64_t bytes = 0;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(path, error)) {
    const uintmax_t size =
        entry.is_regular_file(error) ? entry.file_size(error) : 0;
    if (!error) bytes += size;
  }
  return bytes;
}

BackupInfo ToInfo(const rocksdb::BackupInfo& info) {
  return {.id = info.backup_id,
          .made_ns = info.timestamp * 1'000'000'000,
          .bytes = info.size,
          .files = info.number_files};
}

// Reading must not make a folder of backups where there is none.
absl::StatusOr<std::unique_ptr<rocksdb::BackupEngineReadOnly>> OpenBackups(
    const std::string& path) {
  if (!std::filesystem::exists(path + "/meta")) {
    return absl::NotFoundError(absl::StrCat(path, " holds no backups"));
  }
  rocksdb::BackupEngineReadOnly* raw = nullptr;
  const rocksdb::Status opened = rocksdb::BackupEngineReadOnly::Open(
      rocksdb::Env::Default(), rocksdb::BackupEngineOptions(path), &raw);
  std::unique_ptr<rocksdb::BackupEngineReadOnly> backups(raw);
  if (!opened.ok()) return ToStatus(opened, absl::StrCat("backups in ", path));
  return backups;
}

}  // namespace

absl::StatusOr<MadeBackup> MakeBackup(Database* database,
                                      const BackupOptions& options) {
  if (absl::Status s = CheckPath(options.path); !s.ok()) return s;
  const std::string what = absl::StrCat("backup to ", options.path);
  const uint64_t bytes_before = FolderBytes(options.path);
  rocksdb::BackupEngine* raw = nullptr;
  rocksdb::Status s = rocksdb::BackupEngine::Open(
      rocksdb::Env::Default(), rocksdb::BackupEngineOptions(options.path),
      &raw);
  const std::unique_ptr<rocksdb::BackupEngine> backups(raw);
  if (!s.ok()) return ToStatus(s, what);
  // Until the first bytes are copied: what will be is then settled.
  Database::FilesHeld held(database);
  if (absl::Status fit = held.status(); !fit.ok()) return fit;
  rocksdb::CreateBackupOptions create;
  create.flush_before_backup = false;
  create.decrease_background_thread_cpu_priority = true;
  create.progress_callback = [&held, &options] {
    held.Release();
    if (options.progress) options.progress();
  };
  rocksdb::BackupID id = 0;
  s = backups->CreateNewBackup(create, database->db(), &id);
  held.Release();
  if (absl::Status whole = held.status(); s.ok() && !whole.ok()) {
    backups->DeleteBackup(id).PermitUncheckedError();
    return whole;
  }
  if (s.ok()) s = backups->VerifyBackup(id, options.verify);
  if (s.ok() && options.keep > 0) s = backups->PurgeOldBackups(options.keep);
  if (!s.ok()) return ToStatus(s, what);
  rocksdb::BackupInfo info;
  s = backups->GetBackupInfo(id, &info);
  if (!s.ok()) return ToStatus(s, what);
  const uint64_t bytes_after = FolderBytes(options.path);
  return MadeBackup{.backup = ToInfo(info),
                    .bytes_added = bytes_after > bytes_before
                                       ? bytes_after - bytes_before
                                       : 0};
}

absl::StatusOr<std::vector<BackupInfo>> ListBackups(const std::string& path) {
  if (absl::Status s = CheckPath(path); !s.ok()) return s;
  auto backups = OpenBackups(path);
  if (!backups.ok()) return backups.status();
  std::vector<rocksdb::BackupInfo> found;
  (*backups)->GetBackupInfo(&found);
  std::vector<BackupInfo> infos;
  for (const rocksdb::BackupInfo& info : found) infos.push_back(ToInfo(info));
  return infos;
}

absl::StatusOr<BackupInfo> RestoreBackup(const RestoreOptions& options) {
  std::error_code error;
  if (std::filesystem::exists(options.data_dir) &&
      !std::filesystem::is_empty(options.data_dir, error)) {
    return absl::AlreadyExistsError(
        absl::StrCat("data directory ", options.data_dir,
                     " is not empty: a backup is restored into a new one"));
  }
  auto backups = OpenBackups(options.from);
  if (!backups.ok()) return backups.status();
  std::vector<rocksdb::BackupInfo> found;
  (*backups)->GetBackupInfo(&found);
  const rocksdb::BackupInfo* chosen = nullptr;
  for (const rocksdb::BackupInfo& info : found) {
    if (options.id == 0 || info.backup_id == options.id) chosen = &info;
  }
  if (chosen == nullptr) {
    return absl::NotFoundError(
        absl::StrCat(options.from, " holds no backup ", options.id));
  }
  std::filesystem::create_directories(options.data_dir, error);
  // Compares the checksum of every file that it copies.
  const rocksdb::Status s = (*backups)->RestoreDBFromBackup(
      rocksdb::RestoreOptions(), chosen->backup_id, options.data_dir,
      options.data_dir);
  if (!s.ok()) {
    // Its threads may still be copying the other files.
    backups->reset();
    std::filesystem::remove_all(options.data_dir, error);
    return ToStatus(s, absl::StrCat("restore backup ", chosen->backup_id,
                                    " of ", options.from));
  }
  return ToInfo(*chosen);
}

}  // namespace waterflow::storage
