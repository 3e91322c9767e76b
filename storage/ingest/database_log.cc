#include "storage/ingest/database_log.h"

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "storage/format/bytes.h"
#include "storage/format/keys.h"

namespace waterflow::storage {

absl::StatusOr<Position> DatabaseLog::Replay(Position after, Visitor visit) {
  last_ = after;
  auto it = database_->IterateOnce(Family::kLog);
  for (it->Seek(LogKey(Position{after.value + 1})); it->Valid(); it->Next()) {
    ByteReader key(ToView(it->key()));
    const Position position{key.BigEndian<uint64_t>()};
    const absl::Status s = key.done() ? visit(position, ToView(it->value()))
                                      : absl::DataLossError("key is malformed");
    if (!s.ok()) {
      return absl::DataLossError(
          absl::StrCat("log group ", absl::BytesToHexString(ToView(it->key())),
                       ": ", s.message()));
    }
    last_ = position;
  }
  if (!it->status().ok()) return ToStatus(it->status(), "read the log");
  return last_;
}

absl::StatusOr<Position> DatabaseLog::Append(
    absl::Span<const absl::string_view> pieces) {
  // After a failure; else it does nothing.
  if (absl::Status s = database_->Resume(); !s.ok()) {
    return absl::ResourceExhaustedError(s.message());
  }
  slices_.clear();
  for (const absl::string_view piece : pieces) {
    slices_.push_back(ToSlice(piece));
  }
  const Position position{last_.value + 1};
  const std::string key = LogKey(position);
  const rocksdb::Slice key_slice(key);
  batch_.Clear();
  batch_.Put(
      database_->family(Family::kLog), rocksdb::SliceParts(&key_slice, 1),
      rocksdb::SliceParts(slices_.data(), static_cast<int>(slices_.size())));
  database_->Reach("commit:before_log");
  if (absl::Status s = database_->Write(&batch_, sync_); !s.ok()) {
    // Whatever the cause, the remedy is the same: keep it, try again.
    return absl::ResourceExhaustedError(s.message());
  }
  database_->Reach("commit:after_log");
  last_ = position;
  return position;
}

void DatabaseLog::Trim(Position position) {
  const std::string begin = LogKey(Position{0});
  const std::string end = LogKey(Position{position.value + 1});
  rocksdb::WriteBatch batch;
  batch.DeleteRange(database_->family(Family::kLog), begin, end);
  // Failing here costs space until the next trim, and nothing else.
  database_->Write(&batch, /*sync=*/false).IgnoreError();
  database_->FlushLogBehindTrim();
  database_->DropFiles(Family::kLog, begin, end).IgnoreError();
}

}  // namespace waterflow::storage
