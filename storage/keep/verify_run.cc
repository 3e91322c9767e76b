#include "storage/keep/verify_run.h"

#include <algorithm>

namespace waterflow::storage {
namespace {

constexpr uint64_t kProgressBytes = 16 << 20;

std::unique_ptr<rocksdb::Iterator> Open(const Database& database, Family family,
                                        const rocksdb::Snapshot* snapshot) {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot;
  options.fill_cache = false;
  options.readahead_size = 2 << 20;
  return std::unique_ptr<rocksdb::Iterator>(
      database.db()->NewIterator(options, database.family(family)));
}

}  // namespace

absl::string_view FamilyName(Family family) {
  switch (family) {
    case Family::kMeta:
      return "meta";
    case Family::kCatalog:
      return "catalog";
    case Family::kLog:
      return "log";
    case Family::kAxis:
      return "axis";
    case Family::kBlocks:
      return "blocks";
    case Family::kSummaries:
      return "summaries";
    case Family::kLatest:
      return "latest";
  }
  return "";
}

VerifyRun::VerifyRun(const Database* database, const VerifyObserver* observer)
    : database_(database),
      observer_(observer),
      log_(Open(*database, Family::kLog, nullptr)),
      snapshot_(database->db()->GetSnapshot()) {
  progress_.bytes_total = database->disk_bytes().sst;
}

VerifyRun::~VerifyRun() { database_->db()->ReleaseSnapshot(snapshot_); }

void VerifyRun::Problem(Family family, absl::string_view key,
                        absl::string_view what) {
  ++report_.problems;
  if (!observer_->problem) return;
  observer_->problem({.family = std::string(FamilyName(family)),
                      .key = std::string(key),
                      .what = std::string(what)});
}

void VerifyRun::Read(size_t bytes) {
  report_.bytes += bytes;
  ++report_.keys;
  if (report_.bytes < next_progress_ || !cancelled_.ok()) return;
  next_progress_ = report_.bytes + kProgressBytes;
  progress_.bytes_read = std::min(report_.bytes, progress_.bytes_total);
  if (observer_->progress) cancelled_ = observer_->progress(progress_);
}

std::unique_ptr<rocksdb::Iterator> VerifyRun::Iterate(Family family) const {
  return Open(*database_, family, snapshot_);
}

FamilyWalk::FamilyWalk(VerifyRun* run, Family family)
    : run_(run), family_(family), it_(run->Iterate(family)) {
  it_->SeekToFirst();
}

absl::StatusOr<absl::string_view> FamilyWalk::At(absl::string_view key) {
  if (consumed_) it_->Next();
  consumed_ = false;
  unreadable_ = false;
  last_ = std::string(key);
  bool sought = false;
  while (true) {
    if (it_->Valid()) {
      const absl::string_view found = ToView(it_->key());
      if (found > key) break;
      if (found == key) {
        run_->Read(found.size() + it_->value().size());
        consumed_ = true;
        return ToView(it_->value());
      }
      PassOver();
    } else if (it_->status().ok()) {
      break;
    } else if (sought) {
      unreadable_ = true;
      return absl::DataLossError(it_->status().ToString());
    } else {
      it_->Seek(ToSlice(key));
      sought = true;
    }
  }
  return absl::NotFoundError("is not there");
}

void FamilyWalk::PassOver() {
  const std::string next = Skipped(ToView(it_->key()));
  if (next.empty()) {
    it_->Next();
  } else {
    it_->Seek(next);
  }
}

void FamilyWalk::Finish() {
  if (consumed_) it_->Next();
  while (it_->Valid() && run_->cancelled().ok()) PassOver();
  if (!it_->status().ok() && !unreadable_ && run_->cancelled().ok()) {
    run_->Problem(family_, last_,
                  absl::StrCat("what follows: ", it_->status().ToString()));
  }
}

}  // namespace waterflow::storage
