// Keeps the files that RocksDB's MANIFEST may name.
//
// When a write to a MANIFEST or its sync fails, nobody knows whether the edit
// is on the disk. RocksDB 7.8.3 takes it as not written and deletes the tables
// that it would have added; if it was written, the next open misses them and
// refuses the store. So from such an error on, deletions of tables and
// MANIFESTs are put off until a new MANIFEST, which says all anew, is surely
// the current one. (What is put off when the process ends is removed by the
// next open, as everything that nobody names.) Newer releases of RocksDB keep
// such files by themselves; then this does nothing.
#ifndef WATERFLOW_STORAGE_DATABASE_MANIFEST_GUARD_H_
#define WATERFLOW_STORAGE_DATABASE_MANIFEST_GUARD_H_

#include <rocksdb/file_system.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "storage/model/mutex.h"

namespace waterflow::storage {

// One store's file system. Thread-safe, as every FileSystem is.
class ManifestGuard final : public rocksdb::FileSystemWrapper {
 public:
  explicit ManifestGuard(const std::shared_ptr<rocksdb::FileSystem>& base);
  const char* Name() const override { return "ManifestGuard"; }

  rocksdb::IOStatus NewWritableFile(
      const std::string& name, const rocksdb::FileOptions& options,
      std::unique_ptr<rocksdb::FSWritableFile>* file,
      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& name,
                                 const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* dir,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& name,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;

 private:
  class ManifestFile;
  class Directory;

  // Of an operation on a MANIFEST; gives `status` back.
  rocksdb::IOStatus NoteManifest(rocksdb::IOStatus status);
  // Of a sync of the folder, likewise.
  rocksdb::IOStatus NoteFolder(rocksdb::IOStatus status);

  Mutex mutex_;
  // Whether the disk's MANIFEST may hold an edit that RocksDB takes as failed.
  bool unsure_ ABSL_GUARDED_BY(mutex_) = false;
  // CURRENT names another MANIFEST, and the folder was not synced since.
  bool renamed_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::string> put_off_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_DATABASE_MANIFEST_GUARD_H_
