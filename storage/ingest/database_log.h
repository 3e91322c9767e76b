// The log as the `log` family of the store's own database: a key per group, a
// synced write per append.
//
// RocksDB keeps it in its write-ahead log and in a memtable; a group that is
// trimmed in time dies there and is never written a second time.
#ifndef WATERFLOW_STORAGE_INGEST_DATABASE_LOG_H_
#define WATERFLOW_STORAGE_INGEST_DATABASE_LOG_H_

#include <vector>

#include "storage/database/database.h"
#include "storage/ingest/log.h"

namespace waterflow::storage {

class DatabaseLog : public Log {
 public:
  // `sync`: whether an append waits for the disk.
  DatabaseLog(Database* database, bool sync)
      : database_(database), sync_(sync) {}

  absl::StatusOr<Position> Replay(Position after, Visitor visit) override;
  absl::StatusOr<Position> Append(
      absl::Span<const absl::string_view> pieces) override;
  void Trim(Position position) override;

 private:
  Database* const database_;
  const bool sync_;

  // The appending thread's own:
  Position last_;
  rocksdb::WriteBatch batch_;
  std::vector<rocksdb::Slice> slices_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_INGEST_DATABASE_LOG_H_
