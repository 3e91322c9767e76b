// What the parts of a verification share: one consistent view of the store, an
// iterator that survives damage, and where problems and progress go.
#ifndef WATERFLOW_STORAGE_KEEP_VERIFY_RUN_H_
#define WATERFLOW_STORAGE_KEEP_VERIFY_RUN_H_

#include <rocksdb/db.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "storage/database/database.h"
#include "storage/verify.h"

namespace waterflow::storage {

// The family's name in docs/format.md.
absl::string_view FamilyName(Family family);

class VerifyRun {
 public:
  VerifyRun(const Database* database, const VerifyObserver* observer);
  ~VerifyRun();
  VerifyRun(const VerifyRun&) = delete;
  VerifyRun& operator=(const VerifyRun&) = delete;

  void Problem(Family family, absl::string_view key, absl::string_view what);
  // Counts what was read, and says so now and then. After an error of the
  // observer (it was cancelled) cancelled() is set.
  void Read(size_t bytes);
  const absl::Status& cancelled() const { return cancelled_; }
  VerifyReport& report() { return report_; }

  // The log. Seals trim it by whole files, which minds no snapshot, so this
  // holds on to them. It was made before the view was: the view's position may
  // lie behind its end.
  rocksdb::Iterator& log() { return *log_; }
  // Over the view, without filling the cache.
  std::unique_ptr<rocksdb::Iterator> Iterate(Family family) const;

 private:
  const Database* const database_;
  const VerifyObserver* const observer_;
  const std::unique_ptr<rocksdb::Iterator> log_;  // before snapshot_
  const rocksdb::Snapshot* const snapshot_;
  VerifyReport report_;
  VerifyProgress progress_;
  uint64_t next_progress_ = 0;
  absl::Status cancelled_;
};

// Goes through all keys of a family in order. Damage costs the keys that lie in
// it: RocksDB ends an iterator there, so this one seeks to the next key that
// somebody asks for.
class FamilyWalk {
 public:
  FamilyWalk(VerifyRun* run, Family family);
  virtual ~FamilyWalk() = default;

  // Reads `key`, which must be behind those asked for before. NOT_FOUND;
  // DATA_LOSS when it cannot be read. The value is good until the next call.
  absl::StatusOr<absl::string_view> At(absl::string_view key);
  // The rest.
  void Finish();

 protected:
  // A key that nobody asked for; returns where to go on (empty: the next key).
  virtual std::string Skipped(absl::string_view key) = 0;

  VerifyRun* const run_;
  const Family family_;

 private:
  void PassOver();

  std::unique_ptr<rocksdb::Iterator> it_;
  std::string last_;         // asked for
  bool consumed_ = false;    // it stands under the iterator
  bool unreadable_ = false;  // it is damaged, and was said to be
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_KEEP_VERIFY_RUN_H_
