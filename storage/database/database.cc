#include "storage/database/database.h"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/env.h>
#include <rocksdb/listener.h>
#include <rocksdb/sst_file_manager.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <cstdarg>
#include <map>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "storage/database/manifest_guard.h"
#include "storage/format/bytes.h"
#include "storage/format/keys.h"
#include "storage/model/memory_plan.h"

namespace waterflow::storage {
namespace {

// In the order of Family. "default" is there because RocksDB insists on it; it
// serves as meta.
constexpr const char* kFamilyNames[] = {"default", "catalog",   "log",   "axis",
                                        "blocks",  "summaries", "latest"};

// Half of the memory for two, so that most records are trimmed before their
// memtable is flushed, and are never written a second time.
uint64_t LogMemtableBytes(const EngineOptions& options) {
  return PlanMemory(options.memory_limit_bytes).log_memtable_bytes;
}

// Hears of errors that no caller of ours gets to see.
class ErrorListener : public rocksdb::EventListener {
 public:
  explicit ErrorListener(std::atomic<bool>* failed) : failed_(failed) {}
  void OnBackgroundError(rocksdb::BackgroundErrorReason /*reason*/,
                         rocksdb::Status* /*error*/) override {
    failed_->store(true);
  }

 private:
  std::atomic<bool>* const failed_;
};

// The file system of `options`, or the machine's, under a guard.
std::unique_ptr<rocksdb::Env> GuardedEnv(const EngineOptions& options) {
  rocksdb::Env* const base =
      options.env != nullptr ? options.env : rocksdb::Env::Default();
  return rocksdb::NewCompositeEnv(
      std::make_shared<ManifestGuard>(base->GetFileSystem()));
}

rocksdb::DBOptions MakeDbOptions(const EngineOptions& options,
                                 rocksdb::Env* env) {
  rocksdb::DBOptions db;
  db.create_if_missing = true;
  db.create_missing_column_families = true;
  db.env = env;
  db.max_background_jobs = 2;
  // (avoid_flush_during_recovery would save time at a start, but a log with a
  // torn tail then stays in use: after the next power cut RocksDB stopped at
  // the tear and dropped synced groups behind it. Tried with 7.8.3; tests/model
  // found it.)
  // Quiet families (meta, catalog) pin old logs until they are flushed.
  db.max_total_wal_size = 2 * LogMemtableBytes(options);
  db.info_log_level = rocksdb::WARN_LEVEL;
  db.keep_log_file_num = 4;
  db.stats_dump_period_sec = 0;  // an idle server does nothing
  db.stats_persist_period_sec = 0;
  db.bytes_per_sync = 1 << 20;
  return db;
}

rocksdb::ColumnFamilyOptions MakeFamilyOptions(
    Family family, const EngineOptions& options,
    const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions cf;
  rocksdb::BlockBasedTableOptions table;
  table.format_version = 5;
  // One cache for all families; indexes count in it.
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;
  cf.write_buffer_size =
      PlanMemory(options.memory_limit_bytes).small_memtable_bytes;
  switch (family) {
    case Family::kMeta:
      break;
    case Family::kCatalog:
      cf.compression = rocksdb::kZSTD;
      break;
    case Family::kLog:
      cf.write_buffer_size = LogMemtableBytes(options);
      cf.compression = rocksdb::kNoCompression;
      break;
    case Family::kLatest:
      // Doubles, read often.
      cf.compression = rocksdb::kNoCompression;
      break;
    case Family::kAxis:
    case Family::kBlocks:
      // Chunks are compressed already.
      cf.compression = rocksdb::kNoCompression;
      break;
    case Family::kSummaries:
      cf.compression = rocksdb::kZSTD;
      table.block_size = 16 << 10;
      break;
  }
  if (family == Family::kAxis || family == Family::kBlocks ||
      family == Family::kSummaries) {
    // A generation never overlaps an older one: there is nothing to compact.
    cf.disable_auto_compactions = true;
  }
  cf.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return cf;
}

// A diary that nobody writes.
class Silence : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char* /*format*/, va_list /*arguments*/) override {}
};

bool IsLockError(const rocksdb::Status& status) {
  return status.IsIOError() && absl::StrContains(status.ToString(), "lock");
}

// Where RocksDB puts a store that it opens: a plain pointer in 7.8, a
// unique_ptr in newer releases.
class OpenedInto {
 public:
  explicit OpenedInto(std::unique_ptr<rocksdb::DB>* db) : db_(db) {}
  ~OpenedInto() {
    if (plain_ != nullptr) db_->reset(plain_);
  }
  OpenedInto(const OpenedInto&) = delete;
  OpenedInto& operator=(const OpenedInto&) = delete;
  operator rocksdb::DB**() { return &plain_; }
  operator std::unique_ptr<rocksdb::DB>*() { return db_; }

 private:
  std::unique_ptr<rocksdb::DB>* const db_;
  rocksdb::DB* plain_ = nullptr;
};

}  // namespace

absl::Status ToStatus(const rocksdb::Status& status, absl::string_view what) {
  if (status.ok()) return absl::OkStatus();
  const std::string message = absl::StrCat(what, ": ", status.ToString());
  if (status.IsNotFound()) return absl::NotFoundError(message);
  if (status.IsNoSpace()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no room on the disk: ", message));
  }
  if (status.IsCorruption()) return absl::DataLossError(message);
  if (status.IsShutdownInProgress()) return absl::UnavailableError(message);
  return absl::InternalError(message);
}

std::vector<rocksdb::ColumnFamilyDescriptor> Database::Families(
    const rocksdb::DBOptions& db_options, const EngineOptions& options,
    const std::shared_ptr<rocksdb::Cache>& cache, bool read_only,
    bool* is_new) {
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  const size_t ours = read_only ? static_cast<size_t>(Family::kLatest)
                                : std::size(kFamilyNames);
  for (size_t i = 0; i < ours; ++i) {
    families.emplace_back(
        kFamilyNames[i],
        MakeFamilyOptions(static_cast<Family>(i), options, cache));
  }
  // A newer format may have families of its own: open them too, so that the
  // version can be read and named.
  std::vector<std::string> existing;
  *is_new =
      !rocksdb::DB::ListColumnFamilies(db_options, options.data_dir, &existing)
           .ok();
  for (const std::string& name : existing) {
    const auto* const end = kFamilyNames + ours;
    if (std::find(std::begin(kFamilyNames), end, name) == end) {
      families.emplace_back(name, rocksdb::ColumnFamilyOptions());
    }
  }
  return families;
}

Database::Database(const EngineOptions& options)
    : path_(options.data_dir),
      plan_(PlanMemory(options.memory_limit_bytes)),
      cache_(rocksdb::NewLRUCache(plan_.cache_bytes)),
      env_(GuardedEnv(options)),
      at_point_(options.at_point) {}

absl::StatusOr<std::unique_ptr<Database>> Database::Open(
    const EngineOptions& options) {
  auto database = std::unique_ptr<Database>(new Database(options));
  rocksdb::DBOptions db_options = MakeDbOptions(options, database->env_.get());
  db_options.listeners.push_back(
      std::make_shared<ErrorListener>(&database->ever_failed_));
  rocksdb::Env* env = db_options.env;
  if (rocksdb::Status s = env->CreateDirIfMissing(options.data_dir); !s.ok()) {
    return ToStatus(s, absl::StrCat("data directory ", options.data_dir));
  }
  bool is_new = false;
  const std::vector<rocksdb::ColumnFamilyDescriptor> families = Families(
      db_options, options, database->cache_, /*read_only=*/false, &is_new);
  const rocksdb::Status opened =
      rocksdb::DB::Open(db_options, options.data_dir, families,
                        &database->families_, OpenedInto(&database->db_));
  if (IsLockError(opened)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "data directory ", options.data_dir, " is in use by another process (",
        opened.ToString(), ")"));
  }
  if (!opened.ok()) {
    return ToStatus(opened, absl::StrCat("open ", options.data_dir));
  }
  if (absl::Status s = database->CheckFormat(is_new); !s.ok()) return s;
  return database;
}

absl::StatusOr<std::unique_ptr<Database>> Database::OpenReadOnly(
    const EngineOptions& options) {
  auto database = std::unique_ptr<Database>(new Database(options));
  rocksdb::DBOptions db_options = MakeDbOptions(options, database->env_.get());
  db_options.create_if_missing = false;
  db_options.create_missing_column_families = false;
  // Else RocksDB would begin a new LOG in the folder.
  db_options.info_log = std::make_shared<Silence>();
  rocksdb::Env* const env = db_options.env;
  if (!env->FileExists(options.data_dir + "/CURRENT").ok()) {
    return absl::NotFoundError(
        absl::StrCat("data directory ", options.data_dir, " holds no store"));
  }
  if (rocksdb::Status s =
          env->LockFile(options.data_dir + "/LOCK", &database->read_lock_);
      !s.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("data directory ", options.data_dir,
                     " is in use by another process (", s.ToString(), ")"));
  }
  bool is_new = false;
  const rocksdb::Status opened = rocksdb::DB::OpenForReadOnly(
      db_options, options.data_dir,
      Families(db_options, options, database->cache_, /*read_only=*/true,
               &is_new),
      &database->families_, OpenedInto(&database->db_));
  if (!opened.ok()) {
    return ToStatus(opened, absl::StrCat("open ", options.data_dir));
  }
  if (absl::Status s = database->CheckFormat(false); !s.ok()) return s;
  return database;
}

Database::~Database() {
  for (rocksdb::ColumnFamilyHandle* handle : families_) {
    db_->DestroyColumnFamilyHandle(handle);
  }
  if (read_lock_ == nullptr) return;
  db_.reset();
  env_->UnlockFile(read_lock_).PermitUncheckedError();
}

absl::Status Database::CheckFormat(bool is_new) {
  absl::StatusOr<std::string> stored = Get(Family::kMeta, kMetaFormatVersion);
  if (absl::IsNotFound(stored.status())) {
    if (!is_new &&
        !absl::IsNotFound(Get(Family::kMeta, kMetaSealedPosition).status())) {
      return absl::FailedPreconditionError(
          absl::StrCat("data directory ", path_, " has no format version"));
    }
    return WriteFormatVersion();
  }
  if (!stored.ok()) return stored.status();
  if (stored->size() != sizeof(uint32_t)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "data directory ", path_, " has a damaged format version: ",
        stored->size(), " bytes, expected 4"));
  }
  const uint32_t version = LoadFixed<uint32_t>(stored->data());
  if (!ReadsFormatVersion(version)) {
    return absl::FailedPreconditionError(
        absl::StrCat("data directory ", path_, " has format version ", version,
                     "; this build reads versions ", kOldestFormatVersion,
                     " to ", kFormatVersion));
  }
  // Before anything that an older build could misread is written.
  const bool read_only = read_lock_ != nullptr;
  if (version == kFormatVersion || read_only) return absl::OkStatus();
  return WriteFormatVersion();
}

absl::Status Database::WriteFormatVersion() {
  std::string version;
  AppendFixed(kFormatVersion, &version);
  rocksdb::WriteBatch batch;
  batch.Put(family(Family::kMeta), ToSlice(kMetaFormatVersion), version);
  return Write(&batch, /*sync=*/true);
}

absl::StatusOr<std::string> Database::Get(Family f,
                                          absl::string_view key) const {
  absl::StatusOr<SharedBytes> value = GetShared(f, key);
  if (!value.ok()) return value.status();
  return std::string(value->view());
}

absl::StatusOr<SharedBytes> Database::GetShared(Family f,
                                                absl::string_view key) const {
  auto value = std::make_shared<rocksdb::PinnableSlice>();
  const rocksdb::Status s =
      db_->Get(rocksdb::ReadOptions(), family(f), ToSlice(key), value.get());
  if (s.ok()) return SharedBytes(ToView(*value), value);
  return ToStatus(s, absl::StrCat(kFamilyNames[static_cast<size_t>(f)], " ",
                                  absl::BytesToHexString(key)));
}

absl::Status Database::Write(rocksdb::WriteBatch* batch, bool sync) {
  MutexLock lock(&write_mutex_);
  if (write_failed_.load()) {
    return absl::ResourceExhaustedError("an earlier write has failed");
  }
  rocksdb::WriteOptions options;
  options.sync = sync;
  const rocksdb::Status s = db_->Write(options, batch);
  if (!s.ok()) {
    ever_failed_.store(true);
    write_failed_.store(true);
  }
  return ToStatus(s, "write");
}

std::unique_ptr<rocksdb::Iterator> Database::Iterate(Family f) const {
  return std::unique_ptr<rocksdb::Iterator>(
      db_->NewIterator(rocksdb::ReadOptions(), family(f)));
}

std::unique_ptr<rocksdb::Iterator> Database::IterateOnce(Family f) const {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  return std::unique_ptr<rocksdb::Iterator>(
      db_->NewIterator(options, family(f)));
}

rocksdb::Options Database::FileOptions(Family f) const {
  return db_->GetOptions(family(f));
}

Database::FilesHeld::FilesHeld(Database* database) : database_(database) {
  MutexLock lock(&database_->files_mutex_);
  ++database_->files_held_;
  while (database_->ingesting_ > 0) {
    database_->files_changed_.Wait(&database_->files_mutex_);
  }
}

void Database::FilesHeld::Release() {
  if (!held_.exchange(false)) return;
  MutexLock lock(&database_->files_mutex_);
  --database_->files_held_;
  database_->files_changed_.NotifyAll();
}

absl::Status Database::FilesHeld::status() const {
  if (!database_->ever_failed_.load()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "the disk has failed since the store was opened: the server must be "
      "started again before a copy is made");
}

absl::Status Database::Ingest(const std::array<std::string, 3>& files) {
  {
    MutexLock lock(&files_mutex_);
    while (files_held_ > 0 && !ever_failed_.load()) {
      files_changed_.WaitFor(&files_mutex_, absl::Seconds(1));
    }
    ++ingesting_;
  }
  absl::Status s = IngestFiles(files);
  MutexLock lock(&files_mutex_);
  --ingesting_;
  files_changed_.NotifyAll();
  return s;
}

absl::Status Database::IngestFiles(const std::array<std::string, 3>& files) {
  // RocksDB 7.8.3 that has stopped at an error ingests under the file number 0
  // (or dies of its assertions), and after a full disk it may do so for good,
  // though it takes writes again. So no write may fail beside an ingestion, and
  // once one has failed, files are copied in.
  MutexLock lock(&write_mutex_);
  rocksdb::WriteBatch nothing;
  if (write_failed_.load() ||
      !db_->Write(rocksdb::WriteOptions(), &nothing).ok()) {
    ever_failed_.store(true);
    write_failed_.store(true);
    return absl::ResourceExhaustedError("an earlier write has failed");
  }
  if (ever_failed_.load()) {
    absl::Status s = CopyIn(files);
    if (!s.ok()) write_failed_.store(true);
    return s;
  }
  std::vector<rocksdb::IngestExternalFileArg> args;
  for (size_t i = 0; i < files.size(); ++i) {
    if (files[i].empty()) continue;
    rocksdb::IngestExternalFileArg arg;
    arg.column_family = family(kGenerationFamilies[i]);
    arg.external_files = {files[i]};
    arg.options.move_files = true;
    args.push_back(std::move(arg));
  }
  return ToStatus(db_->IngestExternalFiles(args), "ingest a generation");
}

absl::Status Database::DropFiles(Family f, const std::string& begin,
                                 const std::string& end) {
  const rocksdb::Slice first(begin);
  const rocksdb::Slice last(end);
  const rocksdb::Status s = rocksdb::DeleteFilesInRange(
      db_.get(), family(f), &first, &last, /*include_end=*/false);
  if (!s.ok()) ever_failed_.store(true);
  return ToStatus(s, "drop files");
}

absl::Status Database::CopyIn(const std::array<std::string, 3>& files) const {
  for (size_t i = 0; i < files.size(); ++i) {
    if (files[i].empty()) continue;
    const Family f = kGenerationFamilies[i];
    rocksdb::SstFileReader reader(FileOptions(f));
    rocksdb::Status s = reader.Open(files[i]);
    if (!s.ok()) return ToStatus(s, files[i]);
    const std::unique_ptr<rocksdb::Iterator> it(
        reader.NewIterator(rocksdb::ReadOptions()));
    rocksdb::WriteBatch batch;
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      batch.Put(family(f), it->key(), it->value());
      if (batch.GetDataSize() < (1 << 20)) continue;
      s = db_->Write(rocksdb::WriteOptions(), &batch);
      if (!s.ok()) return ToStatus(s, "copy a generation in");
      batch.Clear();
    }
    if (!it->status().ok()) return ToStatus(it->status(), files[i]);
    // Not synced: the commit that names the generation is, behind it.
    s = db_->Write(rocksdb::WriteOptions(), &batch);
    if (!s.ok()) return ToStatus(s, "copy a generation in");
  }
  return absl::OkStatus();
}

absl::Status Database::ProbeDisk() const {
  // Trying while the disk is still full turns RocksDB's error into one that
  // only a restart mends: it must be able to flush its memtables and to begin a
  // new log.
  const uint64_t resume_bytes = plan_.log_memtable_bytes + (16 << 20);
  const std::optional<uint64_t> free_bytes = FreeBytes();
  if (free_bytes.has_value() && *free_bytes < resume_bytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "no room on the disk: ", *free_bytes, " bytes are free at ", path_,
        ", ", resume_bytes, " are needed to go on"));
  }
  // And a disk that takes no file would make it fail half-way: a RocksDB with
  // its assertions on (Debian's) then ends the process at the next try.
  const std::string probe = absl::StrCat(path_, "/resume.tmp");
  rocksdb::Env* const env = db_->GetEnv();
  const rocksdb::Status written = rocksdb::WriteStringToFile(
      env, std::string(4096, 'x'), probe, /*should_sync=*/true);
  env->DeleteFile(probe).PermitUncheckedError();
  if (!written.ok()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the disk takes no file: ", written.ToString()));
  }
  return absl::OkStatus();
}

absl::Status Database::LeaveOldLogs() const {
  // A write that failed may lie in RocksDB's log all the same, complete or not:
  // its sync failed, say. Replayed after later writes it would bring back a
  // group that was sent again since, or a seal's commit beside that of its
  // second try; and it bears the sequence numbers of the writes that follow it,
  // which RocksDB takes for corruption. Resume() alone leaves the log in use
  // for each family that has nothing to flush. So each gets something: the
  // deletion of a key that no one has.
  rocksdb::WriteBatch batch;
  for (rocksdb::ColumnFamilyHandle* const handle : families_) {
    batch.Delete(handle, rocksdb::Slice("\0\0\0\0", 4));
  }
  // Not into that log, which takes nothing any more; the flush makes it last.
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  if (rocksdb::Status s = db_->Write(options, &batch); !s.ok()) {
    return ToStatus(s, "resume after an error");
  }
  return ToStatus(db_->Flush(rocksdb::FlushOptions(), families_),
                  "resume after an error");
}

absl::Status Database::Resume() {
  if (!write_failed_.load()) return absl::OkStatus();
  MutexLock lock(&write_mutex_);
  if (!write_failed_.load()) return absl::OkStatus();
  if (absl::Status s = ProbeDisk(); !s.ok()) return s;
  if (absl::Status s = ToStatus(db_->Resume(), "resume after an error");
      !s.ok()) {
    return s;
  }
  if (absl::Status s = LeaveOldLogs(); !s.ok()) return s;
  write_failed_.store(false);
  return absl::OkStatus();
}

absl::Status Database::Settle() const {
  for (const Family f : {Family::kMeta, Family::kCatalog, Family::kLog}) {
    // The log first loses what was trimmed, so that nothing of it is flushed.
    rocksdb::CompactRangeOptions compact;
    compact.bottommost_level_compaction =
        rocksdb::BottommostLevelCompaction::kForceOptimized;
    if (rocksdb::Status s =
            db_->CompactRange(compact, family(f), nullptr, nullptr);
        !s.ok()) {
      return ToStatus(s, "compact");
    }
  }
  for (const Family f : kGenerationFamilies) {
    if (rocksdb::Status s = db_->Flush(rocksdb::FlushOptions(), family(f));
        !s.ok()) {
      return ToStatus(s, "flush");
    }
  }
  return absl::OkStatus();
}

absl::Status Database::ReleaseLogs() const {
  // What was trimmed is not written; a file of the WAL goes once no memtable
  // needs it.
  for (rocksdb::ColumnFamilyHandle* const handle : families_) {
    if (rocksdb::Status s = db_->Flush(rocksdb::FlushOptions(), handle);
        !s.ok()) {
      return ToStatus(s, "flush");
    }
  }
  return Reclaim(Family::kLog, "", std::string(9, '\xff'));
}

absl::Status Database::Reclaim(Family f, absl::string_view begin,
                               absl::string_view end) const {
  const rocksdb::Slice first = ToSlice(begin);
  const rocksdb::Slice last = ToSlice(end);
  rocksdb::CompactRangeOptions compact;
  compact.exclusive_manual_compaction = false;
  return ToStatus(db_->CompactRange(compact, family(f), &first, &last),
                  "reclaim");
}

void Database::FlushLogBehindTrim() const {
  rocksdb::ColumnFamilyHandle* const log = family(Family::kLog);
  uint64_t used = 0;
  const bool known = db_->GetIntProperty(
      log, rocksdb::DB::Properties::kCurSizeActiveMemTable, &used);
  if (!known || used < plan_.log_memtable_bytes / 4 * 3) return;
  rocksdb::FlushOptions flush;
  flush.wait = false;
  flush.allow_write_stall = true;
  db_->Flush(flush, log).PermitUncheckedError();
}

DiskBytes Database::disk_bytes() const {
  DiskBytes bytes;
  std::vector<rocksdb::LiveFileMetaData> tables;
  db_->GetLiveFilesMetaData(&tables);
  for (const auto& table : tables) bytes.sst += table.size;
  // Not GetSortedWalFiles: after a disk has failed, it may wait for ever for
  // files to be purged (7.8.3; tests/model found it).
  std::vector<rocksdb::Env::FileAttributes> present;
  db_->GetEnv()
      ->GetChildrenFileAttributes(path_, &present)
      .PermitUncheckedError();
  for (const auto& file : present) {
    if (absl::EndsWith(file.name, ".log")) bytes.wal += file.size_bytes;
  }
  std::vector<std::string> files;
  db_->GetLiveFiles(files, &bytes.manifest, /*flush_memtable=*/false);
  return bytes;
}

uint64_t Database::ApproximateBytes(Family f, absl::string_view begin,
                                    absl::string_view end) const {
  const rocksdb::Range range(ToSlice(begin), ToSlice(end));
  uint64_t bytes = 0;
  db_->GetApproximateSizes(rocksdb::SizeApproximationOptions(), family(f),
                           &range, 1, &bytes)
      .PermitUncheckedError();
  return bytes;
}

std::optional<uint64_t> Database::FreeBytes() const {
  uint64_t free_bytes = 0;
  if (!db_->GetFileSystem()
           ->GetFreeSpace(path_, rocksdb::IOOptions(), &free_bytes, nullptr)
           .ok()) {
    return std::nullopt;
  }
  return free_bytes;
}

MemoryBytes Database::memory_bytes() const {
  MemoryBytes bytes;
  for (rocksdb::ColumnFamilyHandle* const handle : families_) {
    uint64_t memtables = 0;
    if (db_->GetIntProperty(handle, rocksdb::DB::Properties::kSizeAllMemTables,
                            &memtables)) {
      bytes.memtables += memtables;
    }
  }
  db_->GetIntProperty(family(Family::kBlocks),
                      rocksdb::DB::Properties::kBlockCacheUsage, &bytes.cache);
  return bytes;
}

uint64_t Database::compacted_bytes() const {
  // A compaction writes below level 0; a flush writes level 0, and an ingestion
  // is counted apart.
  double gib = 0;
  for (const Family f : kGenerationFamilies) {
    std::map<std::string, std::string> stats;
    db_->GetMapProperty(family(f), rocksdb::DB::Properties::kCFStats, &stats);
    for (int level = 1; level < db_->NumberLevels(family(f)); ++level) {
      double written = 0;
      if (absl::SimpleAtod(
              stats[absl::StrCat("compaction.L", level, ".WriteGB")],
              &written)) {
        gib += written;
      }
    }
  }
  return static_cast<uint64_t>(gib * (1u << 30));
}

}  // namespace waterflow::storage
