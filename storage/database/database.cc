#include "storage/database/database.h"

#include <rocksdb/convenience.h>
#include <rocksdb/env.h>
#include <rocksdb/sst_file_manager.h>
#include <rocksdb/table.h>
#include <rocksdb/version.h>

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "storage/database/crc32c.h"
#include "storage/format/bytes.h"
#include "storage/format/keys.h"

namespace waterflow::storage {
namespace {

// In the order of Family. "default" is there because RocksDB insists on it; it
// serves as meta.
constexpr const char* kFamilyNames[] = {"default", "catalog", "log",
                                        "axis",    "blocks",  "summaries"};

uint64_t LogMemtableBytes(const EngineOptions& options) {
  // Large, so that most records are trimmed before their memtable is flushed,
  // and are never written a second time: half of the memory, and half of that
  // because the next one fills up while this one is flushed. More than 512 MiB
  // saves nothing (64-row floods: 22.0 ns a sample with 1 GiB, 21.9 with 512
  // MiB) and makes the next start slower, which reads all of it.
  return std::clamp<uint64_t>(options.memory_limit_bytes / 4, 8u << 20,
                              512u << 20);
}

rocksdb::DBOptions MakeDbOptions(const EngineOptions& options) {
  rocksdb::DBOptions db;
  db.create_if_missing = true;
  db.create_missing_column_families = true;
  if (options.env != nullptr) db.env = options.env;
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

rocksdb::ColumnFamilyOptions MakeFamilyOptions(Family family,
                                               const EngineOptions& options) {
  rocksdb::ColumnFamilyOptions cf;
  rocksdb::BlockBasedTableOptions table;
  table.format_version = 5;
  cf.write_buffer_size = 4 << 20;
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

bool IsLockError(const rocksdb::Status& status) {
  return status.IsIOError() && absl::StrContains(status.ToString(), "lock");
}

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

Database::Database(const EngineOptions& options)
    : path_(options.data_dir),
      log_memtable_bytes_(LogMemtableBytes(options)),
      at_point_(options.at_point) {}

absl::StatusOr<std::unique_ptr<Database>> Database::Open(
    const EngineOptions& options) {
  auto database = std::unique_ptr<Database>(new Database(options));
  rocksdb::DBOptions db_options = MakeDbOptions(options);
  rocksdb::Env* env = db_options.env;
  if (rocksdb::Status s = env->CreateDirIfMissing(options.data_dir); !s.ok()) {
    return ToStatus(s, absl::StrCat("data directory ", options.data_dir));
  }
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (size_t i = 0; i < std::size(kFamilyNames); ++i) {
    families.emplace_back(kFamilyNames[i],
                          MakeFamilyOptions(static_cast<Family>(i), options));
  }
  // A newer format may have families of its own: open them too, so that the
  // version can be read and named.
  std::vector<std::string> existing;
  const bool is_new =
      !rocksdb::DB::ListColumnFamilies(db_options, options.data_dir, &existing)
           .ok();
  for (const std::string& name : existing) {
    if (std::find(std::begin(kFamilyNames), std::end(kFamilyNames), name) ==
        std::end(kFamilyNames)) {
      families.emplace_back(name, rocksdb::ColumnFamilyOptions());
    }
  }
  rocksdb::DB* db = nullptr;
  const rocksdb::Status opened = rocksdb::DB::Open(
      db_options, options.data_dir, families, &database->families_, &db);
  if (IsLockError(opened)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "data directory ", options.data_dir, " is in use by another process (",
        opened.ToString(), ")"));
  }
  if (!opened.ok()) {
    return ToStatus(opened, absl::StrCat("open ", options.data_dir));
  }
  database->db_.reset(db);
  if (absl::Status s = database->CheckFormat(is_new); !s.ok()) return s;
  return database;
}

Database::~Database() {
  for (rocksdb::ColumnFamilyHandle* handle : families_) {
    db_->DestroyColumnFamilyHandle(handle);
  }
}

absl::Status Database::CheckFormat(bool is_new) const {
  absl::StatusOr<std::string> stored = Get(Family::kMeta, kMetaFormatVersion);
  if (absl::IsNotFound(stored.status())) {
    if (!is_new &&
        !absl::IsNotFound(Get(Family::kMeta, kMetaSealedPosition).status())) {
      return absl::FailedPreconditionError(
          absl::StrCat("data directory ", path_, " has no format version"));
    }
    std::string version;
    AppendFixed(kFormatVersion, &version);
    rocksdb::WriteBatch batch;
    batch.Put(family(Family::kMeta), ToSlice(kMetaFormatVersion), version);
    return Write(&batch, /*sync=*/true);
  }
  if (!stored.ok()) return stored.status();
  const uint32_t version =
      stored->size() == 4 ? LoadFixed<uint32_t>(stored->data()) : 0;
  if (version != kFormatVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("data directory ", path_, " has format version ", version,
                     "; this build reads version ", kFormatVersion));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Database::Get(Family f,
                                          absl::string_view key) const {
  std::string value;
  const rocksdb::Status s =
      db_->Get(rocksdb::ReadOptions(), family(f), ToSlice(key), &value);
  if (s.ok()) return value;
  return ToStatus(s, absl::StrCat(kFamilyNames[static_cast<size_t>(f)], " ",
                                  absl::BytesToHexString(key)));
}

absl::Status Database::Write(rocksdb::WriteBatch* batch, bool sync) const {
  rocksdb::WriteOptions options;
  options.sync = sync;
  return ToStatus(db_->Write(options, batch), "write");
}

std::unique_ptr<rocksdb::Iterator> Database::Iterate(Family f) const {
  return std::unique_ptr<rocksdb::Iterator>(
      db_->NewIterator(rocksdb::ReadOptions(), family(f)));
}

rocksdb::Options Database::FileOptions(Family f) const {
  return db_->GetOptions(family(f));
}

absl::Status Database::Ingest(const std::array<std::string, 3>& files) const {
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

absl::Status Database::Resume() const {
  // Trying while the disk is still full turns RocksDB's error into one that
  // only a restart mends: it must be able to flush its memtables and to begin a
  // new log.
  const uint64_t resume_bytes = log_memtable_bytes_ + (16 << 20);
  uint64_t free_bytes = 0;
  const bool known =
      db_->GetFileSystem()
          ->GetFreeSpace(path_, rocksdb::IOOptions(), &free_bytes, nullptr)
          .ok();
  if (known && free_bytes < resume_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no room on the disk: ", free_bytes, " bytes are free at ",
                     path_, ", ", resume_bytes, " are needed to go on"));
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
  return ToStatus(db_->Resume(), "resume after an error");
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

void Database::FlushLogBehindTrim() const {
  rocksdb::ColumnFamilyHandle* const log = family(Family::kLog);
  uint64_t used = 0;
  const bool known = db_->GetIntProperty(
      log, rocksdb::DB::Properties::kCurSizeActiveMemTable, &used);
  if (!known || used < log_memtable_bytes_ / 4 * 3) return;
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
  rocksdb::VectorLogPtr logs;
  if (db_->GetSortedWalFiles(logs).ok()) {
    for (const auto& log : logs) bytes.wal += log->SizeFileBytes();
  }
  std::vector<std::string> files;
  db_->GetLiveFiles(files, &bytes.manifest, /*flush_memtable=*/false);
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

std::string Database::VersionName() {
  return absl::StrCat("RocksDB ", rocksdb::GetRocksVersionAsString(),
                      HardwareCrc32cInUse() ? ", hardware crc32c" : "");
}

}  // namespace waterflow::storage
