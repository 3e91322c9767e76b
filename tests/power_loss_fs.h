// A file system that can lose power, and that can fail. It remembers what was
// synced: for each file how many bytes, for the folder which names. Crash()
// leaves exactly that on the disk, plus, if asked, a part of what was on its
// way there.
//
//   auto fs = std::make_shared<PowerLossFileSystem>(dir);
//   auto env = rocksdb::NewCompositeEnv(fs);   // EngineOptions::env
//   ...
//   fs->Freeze();          // from now on nothing reaches the disk
//   engine.reset();        // what it still writes fails
//   fs->Crash(torn, seed); // the disk is as a power cut would leave it
//
// Files lie in one folder and are appended to, as RocksDB's are. Nothing is
// really synced, so a test is as fast as memory.
#ifndef WATERFLOW_TESTS_POWER_LOSS_FS_H_
#define WATERFLOW_TESTS_POWER_LOSS_FS_H_

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "storage/model/mutex.h"

namespace waterflow::storage {

// What a power cut leaves of bytes and names that were not synced.
enum class Torn {
  kNothing,  // the strictest disk: all of it is gone
  kPrefix,  // of each file some of the bytes, of the folder some of the changes
  kGarbage,  // the same, and the last bytes that are left of a log are wrong
};

class PowerLossFileSystem : public rocksdb::FileSystemWrapper {
 public:
  enum class Op { kCreate, kAppend, kSync, kRename, kLink, kDelete, kSyncDir };
  // Says how an operation fails; OK lets it pass. Called for every operation
  // that changes the folder, on whatever thread does it.
  using Faults = std::function<rocksdb::IOStatus(Op, const std::string& file)>;

  // `dir` is the store's folder; its parent must exist.
  explicit PowerLossFileSystem(std::string dir);
  ~PowerLossFileSystem() override;
  const char* Name() const override { return "PowerLossFileSystem"; }

  void SetFaults(Faults faults);
  // Every operation from now on fails; those that were done stay in doubt.
  void Freeze();
  bool frozen();
  // Puts the folder into the state after a power cut and lets operations pass
  // again. Files that are still open do not.
  void Crash(Torn torn, uint64_t seed);

  // FileSystem:
  rocksdb::IOStatus NewWritableFile(
      const std::string& name, const rocksdb::FileOptions& options,
      std::unique_ptr<rocksdb::FSWritableFile>* file,
      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReopenWritableFile(
      const std::string& name, const rocksdb::FileOptions& options,
      std::unique_ptr<rocksdb::FSWritableFile>* file,
      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReuseWritableFile(
      const std::string& name, const std::string& old_name,
      const rocksdb::FileOptions& options,
      std::unique_ptr<rocksdb::FSWritableFile>* file,
      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomRWFile(
      const std::string& name, const rocksdb::FileOptions& options,
      std::unique_ptr<rocksdb::FSRandomRWFile>* file,
      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& name,
                                 const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* dir,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& name,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus LinkFile(const std::string& from, const std::string& to,
                             const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override;

 private:
  friend class PowerLossFile;
  friend class PowerLossDirectory;

  // A file's bytes, whatever its names are. A link in a folder beside the
  // store's keeps them as long as a power cut could bring them back.
  struct Inode {
    std::string keep;  // path of that link
    uint64_t synced = 0;
    ~Inode();
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;
  // A change of the folder: names that go, then a name that comes.
  struct Change {
    std::optional<std::string> gone;
    std::optional<std::string> name;
    std::shared_ptr<Inode> inode;
  };

  // Whether an operation of a file opened in `life` may be done.
  rocksdb::IOStatus Check(Op op, const std::string& file, int life)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsOurs(const std::string& path) const;
  void Do(Change change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void Apply(const Change& change, Names* names);
  rocksdb::IOStatus Create(const std::string& name)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Wrap(const std::string& name,
            std::unique_ptr<rocksdb::FSWritableFile>* file)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string dir_;
  const std::string keep_dir_;

  Mutex mutex_;
  Faults faults_ ABSL_GUARDED_BY(mutex_);
  bool frozen_ ABSL_GUARDED_BY(mutex_) = false;
  int life_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t next_inode_ ABSL_GUARDED_BY(mutex_) = 0;
  Names names_ ABSL_GUARDED_BY(mutex_);    // as a running system sees them
  Names durable_ ABSL_GUARDED_BY(mutex_);  // as the disk has them
  std::vector<Change> pending_
      ABSL_GUARDED_BY(mutex_);  // from one to the other
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_TESTS_POWER_LOSS_FS_H_
