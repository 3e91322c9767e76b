// The one RocksDB below everything: its column families, its settings and why
// they are so, and its errors as absl::Status.
#ifndef WATERFLOW_STORAGE_DATABASE_DATABASE_H_
#define WATERFLOW_STORAGE_DATABASE_DATABASE_H_

#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/engine.h"
#include "storage/format/shared_bytes.h"
#include "storage/model/memory_plan.h"
#include "storage/model/mutex.h"

namespace waterflow::storage {

enum class Family {
  kMeta,
  kCatalog,
  kLog,
  kAxis,
  kBlocks,
  kSummaries,
  kLatest,  // derived; not there in a store that is opened read-only
};

// The families that hold generations.
inline constexpr std::array kGenerationFamilies = {
    Family::kAxis, Family::kBlocks, Family::kSummaries};

struct DiskBytes {
  uint64_t sst = 0;
  uint64_t wal = 0;
  uint64_t manifest = 0;
};

struct MemoryBytes {
  uint64_t memtables = 0;
  uint64_t cache = 0;  // blocks and indexes of files
};

// Thread-safe, as RocksDB is.
class Database {
 public:
  // FAILED_PRECONDITION when another process holds the folder, or when its
  // format version is not ours.
  static absl::StatusOr<std::unique_ptr<Database>> Open(
      const EngineOptions& options);
  // To look at a store without changing it: nothing in the folder is written
  // but the lock, which is held meanwhile. NOT_FOUND when there is no store.
  static absl::StatusOr<std::unique_ptr<Database>> OpenReadOnly(
      const EngineOptions& options);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  rocksdb::DB* db() const { return db_.get(); }
  rocksdb::ColumnFamilyHandle* family(Family family) const {
    return families_[static_cast<size_t>(family)];
  }
  const std::string& path() const { return path_; }
  // Says that a point of EngineOptions::at_point is reached.
  void Reach(absl::string_view point) const {
    if (at_point_) at_point_(point);
  }

  // NOT_FOUND when there is no such key, DATA_LOSS with the key's name when it
  // cannot be read.
  absl::StatusOr<std::string> Get(Family family, absl::string_view key) const;
  // The same without a copy, where the value lies in the cache. It must not
  // outlive the database.
  absl::StatusOr<SharedBytes> GetShared(Family family,
                                        absl::string_view key) const;
  // Writes and syncs. After an error nothing more is written until Resume().
  absl::Status Write(rocksdb::WriteBatch* batch, bool sync);
  // Everything from `begin` up to (without) `end`.
  std::unique_ptr<rocksdb::Iterator> Iterate(Family family) const;
  // The same for what is read once: it leaves the cache as it is.
  std::unique_ptr<rocksdb::Iterator> IterateOnce(Family family) const;

  // While it holds, no generation comes in. A copy of the store is made under
  // it: RocksDB lists the files first and takes the log after, and a generation
  // that came in between would be named by the log and be missing. When the
  // disk fails it holds no more.
  class FilesHeld {
   public:
    explicit FilesHeld(Database* database);
    ~FilesHeld() { Release(); }
    FilesHeld(const FilesHeld&) = delete;
    FilesHeld& operator=(const FilesHeld&) = delete;
    // From any thread; again is harmless. The log was taken.
    void Release();
    // To be asked before a copy is begun, and before it is called whole:
    // FAILED_PRECONDITION when the disk has failed since the store was opened.
    // RocksDB 7.8.3 may then wait for ever in GetSortedWalFiles.
    absl::Status status() const;

   private:
    Database* const database_;
    std::atomic<bool> held_{true};
  };

  // Options for writing a file that will be ingested into `family`.
  rocksdb::Options FileOptions(Family family) const;
  // Ingests one finished file per generation family, all or none. An empty name
  // stands for no file.
  absl::Status Ingest(const std::array<std::string, 3>& files);

  // After an error (a full disk) writes are refused until this was OK.
  // RESOURCE_EXHAUSTED while there is too little room, or the disk still fails.
  absl::Status Resume();

  // Deletes files that hold nothing but keys of the range. What else lies in it
  // stays; and so do they when it fails, or when RocksDB is busy with them.
  absl::Status DropFiles(Family family, const std::string& begin,
                         const std::string& end);

  // To be called when the log was trimmed. The log's memtable will be flushed
  // one day, for it only grows; just now least of it is alive, and what is dead
  // is not written.
  void FlushLogBehindTrim() const;

  // Flushes memtables, drops what is deleted, and lets go of old logs.
  absl::Status Settle() const;
  // Lets go of write-ahead logs and of log files in which nothing is alive:
  // until then they keep the bytes of a deleted run.
  absl::Status ReleaseLogs() const;
  // Gives the disk space of deleted keys in [begin, end) back.
  absl::Status Reclaim(Family family, absl::string_view begin,
                       absl::string_view end) const;
  DiskBytes disk_bytes() const;
  // What files hold between two keys, about.
  uint64_t ApproximateBytes(Family family, absl::string_view begin,
                            absl::string_view end) const;
  // Room on the disk that the store lies on, if that is known.
  std::optional<uint64_t> FreeBytes() const;
  MemoryBytes memory_bytes() const;
  // Written by compactions of generations since the store was opened: nothing,
  // if all is as it should be.
  uint64_t compacted_bytes() const;

 private:
  explicit Database(const EngineOptions& options);
  absl::Status CheckFormat(bool is_new);
  absl::Status WriteFormatVersion();
  // The families of this store: ours, then those of a newer format. Read-only,
  // kLatest is one of the latter, for an older store lacks it.
  static std::vector<rocksdb::ColumnFamilyDescriptor> Families(
      const rocksdb::DBOptions& db_options, const EngineOptions& options,
      const std::shared_ptr<rocksdb::Cache>& cache, bool read_only,
      bool* is_new);
  // Whether the disk could take what RocksDB writes when it goes on.
  absl::Status ProbeDisk() const;
  absl::Status IngestFiles(const std::array<std::string, 3>& files);
  // Ingest() by ordinary writes.
  absl::Status CopyIn(const std::array<std::string, 3>& files) const;
  // Makes sure that no log from before is ever replayed.
  absl::Status LeaveOldLogs() const;

  const std::string path_;
  const MemoryPlan plan_;
  const std::shared_ptr<rocksdb::Cache> cache_;
  const std::unique_ptr<rocksdb::Env> env_;
  rocksdb::FileLock* read_lock_ = nullptr;  // of a store opened read-only
  const std::function<void(absl::string_view)> at_point_;
  // Since the store was opened; whatever it was that failed.
  std::atomic<bool> ever_failed_{false};
  std::unique_ptr<rocksdb::DB> db_;
  Mutex files_mutex_;  // before write_mutex_
  CondVar files_changed_;
  int files_held_ ABSL_GUARDED_BY(files_mutex_) = 0;
  int ingesting_ ABSL_GUARDED_BY(files_mutex_) = 0;
  // Held over each write, ingestion and Resume(): see Ingest(). Few contend for
  // it, the committer and the sealer.
  Mutex write_mutex_;
  std::atomic<bool> write_failed_{false};
  std::vector<rocksdb::ColumnFamilyHandle*> families_;  // ours come first
};

// `what` says what was tried. A full disk is RESOURCE_EXHAUSTED, a corruption
// DATA_LOSS, a lost race with closing UNAVAILABLE.
absl::Status ToStatus(const rocksdb::Status& status, absl::string_view what);

inline rocksdb::Slice ToSlice(absl::string_view view) {
  return {view.data(), view.size()};
}
inline absl::string_view ToView(const rocksdb::Slice& slice) {
  return {slice.data(), slice.size()};
}

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_DATABASE_DATABASE_H_
