#include "storage/database/manifest_guard.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace waterflow::storage {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

absl::string_view BaseName(absl::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

bool IsManifest(absl::string_view path) {
  return absl::StartsWith(BaseName(path), "MANIFEST-");
}

// 000123.sst is RocksDB's; seal-....sst is ours, and no MANIFEST names it.
bool IsTable(absl::string_view path) {
  absl::string_view name = BaseName(path);
  return absl::ConsumeSuffix(&name, ".sst") && !name.empty() &&
         name.find_first_not_of("0123456789") == absl::string_view::npos;
}

}  // namespace

class ManifestGuard::ManifestFile final
    : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  ManifestFile(std::unique_ptr<rocksdb::FSWritableFile> file,
               ManifestGuard* guard)
      : FSWritableFileOwnerWrapper(std::move(file)), guard_(guard) {}

  IOStatus Append(const rocksdb::Slice& bytes, const IOOptions& options,
                  IODebugContext* debug) override {
    return guard_->NoteManifest(
        FSWritableFileOwnerWrapper::Append(bytes, options, debug));
  }
  IOStatus Append(const rocksdb::Slice& bytes, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& info,
                  IODebugContext* debug) override {
    return guard_->NoteManifest(
        FSWritableFileOwnerWrapper::Append(bytes, options, info, debug));
  }
  IOStatus Flush(const IOOptions& options, IODebugContext* debug) override {
    return guard_->NoteManifest(
        FSWritableFileOwnerWrapper::Flush(options, debug));
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return guard_->NoteManifest(
        FSWritableFileOwnerWrapper::Sync(options, debug));
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return guard_->NoteManifest(
        FSWritableFileOwnerWrapper::Fsync(options, debug));
  }
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
    return guard_->NoteManifest(
        FSWritableFileOwnerWrapper::Close(options, debug));
  }

 private:
  ManifestGuard* const guard_;
};

class ManifestGuard::Directory final : public rocksdb::FSDirectoryWrapper {
 public:
  Directory(std::unique_ptr<rocksdb::FSDirectory> dir, ManifestGuard* guard)
      : FSDirectoryWrapper(std::move(dir)), guard_(guard) {}

  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return guard_->NoteFolder(FSDirectoryWrapper::Fsync(options, debug));
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions& why) override {
    return guard_->NoteFolder(
        FSDirectoryWrapper::FsyncWithDirOptions(options, debug, why));
  }

 private:
  ManifestGuard* const guard_;
};

ManifestGuard::ManifestGuard(const std::shared_ptr<rocksdb::FileSystem>& base)
    : FileSystemWrapper(base) {}

IOStatus ManifestGuard::NewWritableFile(
    const std::string& name, const rocksdb::FileOptions& options,
    std::unique_ptr<rocksdb::FSWritableFile>* file, IODebugContext* debug) {
  IOStatus s = FileSystemWrapper::NewWritableFile(name, options, file, debug);
  if (s.ok() && IsManifest(name)) {
    *file = std::make_unique<ManifestFile>(std::move(*file), this);
  }
  return s;
}

IOStatus ManifestGuard::NewDirectory(const std::string& name,
                                     const IOOptions& options,
                                     std::unique_ptr<rocksdb::FSDirectory>* dir,
                                     IODebugContext* debug) {
  IOStatus s = FileSystemWrapper::NewDirectory(name, options, dir, debug);
  if (s.ok()) *dir = std::make_unique<Directory>(std::move(*dir), this);
  return s;
}

IOStatus ManifestGuard::RenameFile(const std::string& from,
                                   const std::string& to,
                                   const IOOptions& options,
                                   IODebugContext* debug) {
  IOStatus s = FileSystemWrapper::RenameFile(from, to, options, debug);
  if (BaseName(to) != "CURRENT") return s;
  if (!s.ok()) return NoteManifest(std::move(s));
  MutexLock lock(&mutex_);
  renamed_ = true;
  return s;
}

IOStatus ManifestGuard::DeleteFile(const std::string& name,
                                   const IOOptions& options,
                                   IODebugContext* debug) {
  if (IsTable(name) || IsManifest(name)) {
    MutexLock lock(&mutex_);
    if (unsure_) {
      put_off_.push_back(name);
      return IOStatus::OK();
    }
  }
  return FileSystemWrapper::DeleteFile(name, options, debug);
}

IOStatus ManifestGuard::NoteManifest(IOStatus status) {
  if (status.ok()) return status;
  MutexLock lock(&mutex_);
  unsure_ = true;
  renamed_ = false;
  return status;
}

IOStatus ManifestGuard::NoteFolder(IOStatus status) {
  std::vector<std::string> gone;
  {
    MutexLock lock(&mutex_);
    if (!renamed_) return status;
    renamed_ = false;
    unsure_ = !status.ok();
    if (!unsure_) gone.swap(put_off_);
  }
  // One that stays costs its space until the next open.
  for (const std::string& name : gone) {
    FileSystemWrapper::DeleteFile(name, IOOptions(), nullptr)
        .PermitUncheckedError();
  }
  return status;
}

}  // namespace waterflow::storage
