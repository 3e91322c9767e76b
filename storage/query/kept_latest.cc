#include "storage/query/kept_latest.h"

#include <utility>

namespace waterflow::storage {
namespace {

// Runs are asked for one behind the other more often than not; further apart a
// seek is cheaper.
constexpr int kSteps = 8;
// Of one write: others wait for it.
constexpr size_t kWriteBytes = 1u << 20;

}  // namespace

absl::string_view KeptLatest::Find(RunId run, absl::string_view source) {
  const std::string key = LatestKey(run);
  if (positioned_) {
    for (int i = 0; i < kSteps && it_->Valid() && ToView(it_->key()) < key;
         ++i) {
      it_->Next();
    }
  }
  if (!positioned_ || (it_->Valid() && ToView(it_->key()) < key)) {
    it_->Seek(key);
    positioned_ = true;
  }
  if (!it_->Valid() || ToView(it_->key()) != key) return {};
  LatestReader reader;
  const absl::string_view value = ToView(it_->value());
  return reader.Open(value, source) ? value : absl::string_view();
}

absl::Status KeepLatest(Database* database, absl::Span<const DerivedRun> runs) {
  rocksdb::WriteBatch batch;
  for (size_t i = 0; i < runs.size(); ++i) {
    batch.Put(database->family(Family::kLatest), LatestKey(runs[i].run),
              EncodeLatest(runs[i].source, runs[i].entries));
    if (batch.GetDataSize() < kWriteBytes && i + 1 < runs.size()) continue;
    absl::Status s = database->Write(&batch, /*sync=*/false);
    if (!s.ok()) return s;
    batch.Clear();
  }
  return absl::OkStatus();
}

absl::Status DropLatest(Database* database, absl::Span<const RunId> runs) {
  if (runs.empty()) return absl::OkStatus();
  rocksdb::WriteBatch batch;
  for (const RunId run : runs) {
    batch.Delete(database->family(Family::kLatest), LatestKey(run));
  }
  return database->Write(&batch, /*sync=*/false);
}

}  // namespace waterflow::storage
