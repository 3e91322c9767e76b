#include "tests/power_loss_fs.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace waterflow::storage {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

namespace fs = std::filesystem;

// A file of one life of the system; of a later one it knows nothing.
class PowerLossFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  PowerLossFile(PowerLossFileSystem* system, std::string name, int life,
                std::shared_ptr<PowerLossFileSystem::Inode> inode,
                std::unique_ptr<rocksdb::FSWritableFile> file)
      : FSWritableFileOwnerWrapper(std::move(file)),
        system_(system),
        name_(std::move(name)),
        life_(life),
        inode_(std::move(inode)) {}

  // Under the lock, so that Freeze() is a moment and not a while.
  IOStatus Append(const rocksdb::Slice& bytes, const IOOptions& options,
                  IODebugContext* debug) override {
    MutexLock lock(&system_->mutex_);
    IOStatus s = system_->Check(PowerLossFileSystem::Op::kAppend, name_, life_);
    return s.ok() || TakesAnything()
               ? FSWritableFileOwnerWrapper::Append(bytes, options, debug)
               : s;
  }
  IOStatus Append(const rocksdb::Slice& bytes, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& /*info*/,
                  IODebugContext* debug) override {
    return Append(bytes, options, debug);
  }
  IOStatus Sync(const IOOptions&, IODebugContext*) override {
    MutexLock lock(&system_->mutex_);
    if (TakesAnything()) return IOStatus::OK();
    if (IOStatus s =
            system_->Check(PowerLossFileSystem::Op::kSync, name_, life_);
        !s.ok()) {
      return s;
    }
    // Not the file's own count: one that was reopened begins at 0.
    std::error_code error;
    inode_->synced = fs::file_size(inode_->keep, error);
    return error ? IOStatus::IOError(name_, error.message()) : IOStatus::OK();
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return Sync(options, debug);
  }
  IOStatus RangeSync(uint64_t, uint64_t, const IOOptions&,
                     IODebugContext*) override {
    return IOStatus::OK();
  }
  IOStatus Truncate(uint64_t size, const IOOptions& options,
                    IODebugContext* debug) override {
    MutexLock lock(&system_->mutex_);
    IOStatus s = system_->Check(PowerLossFileSystem::Op::kAppend, name_, life_);
    return s.ok() ? FSWritableFileOwnerWrapper::Truncate(size, options, debug)
                  : s;
  }
  // No Close() of ours: it writes nothing. (Posix trims what was preallocated.)

 private:
  // A table that is being made when the power goes: whether it seems to
  // succeed makes no difference, for nothing can name it any more. (But when it
  // fails, a compaction that leaves nothing but a range's deletion ends a
  // RocksDB that has its assertions on: CompactionState::SmallestUserKey.)
  bool TakesAnything() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(system_->mutex_) {
    return system_->frozen_ && life_ == system_->life_ &&
           absl::EndsWith(name_, ".sst");
  }

  PowerLossFileSystem* const system_;
  const std::string name_;
  const int life_;
  const std::shared_ptr<PowerLossFileSystem::Inode> inode_;
};

class PowerLossDirectory : public rocksdb::FSDirectory {
 public:
  PowerLossDirectory(PowerLossFileSystem* system, int life)
      : system_(system), life_(life) {}
  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    MutexLock lock(&system_->mutex_);
    IOStatus s = system_->Check(PowerLossFileSystem::Op::kSyncDir, "", life_);
    if (!s.ok()) return s;
    system_->durable_ = system_->names_;
    system_->pending_.clear();
    return s;
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();
  }

 private:
  PowerLossFileSystem* const system_;
  const int life_;
};

PowerLossFileSystem::Inode::~Inode() {
  std::error_code ignored;
  fs::remove(keep, ignored);
}

PowerLossFileSystem::PowerLossFileSystem(std::string dir)
    : FileSystemWrapper(rocksdb::FileSystem::Default()),
      dir_(std::move(dir)),
      keep_dir_(dir_ + ".kept") {
  fs::create_directories(dir_);
  fs::create_directories(keep_dir_);
  Crash(Torn::kNothing, 0);  // what is there is on the disk
}

PowerLossFileSystem::~PowerLossFileSystem() {
  {
    MutexLock lock(&mutex_);
    names_.clear();
    durable_.clear();
    pending_.clear();
  }
  std::error_code ignored;
  fs::remove_all(keep_dir_, ignored);
}

void PowerLossFileSystem::SetFaults(Faults faults) {
  MutexLock lock(&mutex_);
  faults_ = std::move(faults);
}

void PowerLossFileSystem::Freeze() {
  MutexLock lock(&mutex_);
  frozen_ = true;
}

bool PowerLossFileSystem::frozen() {
  MutexLock lock(&mutex_);
  return frozen_;
}

// LOCK is not of the disk, and LOG is RocksDB's diary: nothing reads it.
bool PowerLossFileSystem::IsOurs(const std::string& path) const {
  const fs::path p(path);
  return p.parent_path() == dir_ && p.filename() != "LOCK" &&
         !absl::StartsWith(p.filename().string(), "LOG");
}

IOStatus PowerLossFileSystem::Check(Op op, const std::string& file, int life) {
  if (frozen_ || life != life_) return IOStatus::IOError("no power", file);
  return faults_ ? faults_(op, file) : IOStatus::OK();
}

void PowerLossFileSystem::Apply(const Change& change, Names* names) {
  if (change.gone.has_value()) names->erase(*change.gone);
  if (change.name.has_value()) (*names)[*change.name] = change.inode;
}

void PowerLossFileSystem::Do(Change change) {
  Apply(change, &names_);
  pending_.push_back(std::move(change));
}

IOStatus PowerLossFileSystem::Create(const std::string& name) {
  auto inode = std::make_shared<Inode>();
  inode->keep = absl::StrCat(keep_dir_, "/", next_inode_++);
  std::error_code error;
  fs::create_hard_link(name, inode->keep, error);
  if (error) return IOStatus::IOError("keep " + name, error.message());
  Do({.gone = std::nullopt, .name = name, .inode = std::move(inode)});
  return IOStatus::OK();
}

void PowerLossFileSystem::Wrap(const std::string& name,
                               std::unique_ptr<rocksdb::FSWritableFile>* file) {
  *file = std::make_unique<PowerLossFile>(this, name, life_, names_.at(name),
                                          std::move(*file));
}

IOStatus PowerLossFileSystem::NewWritableFile(
    const std::string& name, const rocksdb::FileOptions& options,
    std::unique_ptr<rocksdb::FSWritableFile>* file, IODebugContext* debug) {
  if (!IsOurs(name)) {
    return FileSystemWrapper::NewWritableFile(name, options, file, debug);
  }
  MutexLock lock(&mutex_);
  if (frozen_) {
    // Without power a file is made that no one sees, and that takes nothing. (A
    // compaction that cannot even make its file ends a RocksDB that has its
    // assertions on: CompactionState::SmallestUserKey.)
    auto inode = std::make_shared<Inode>();
    inode->keep = absl::StrCat(keep_dir_, "/", next_inode_++);
    IOStatus s =
        FileSystemWrapper::NewWritableFile(inode->keep, options, file, debug);
    if (s.ok()) {
      *file = std::make_unique<PowerLossFile>(
          this, name, life_, std::move(inode), std::move(*file));
    }
    return s;
  }
  if (IOStatus s = Check(Op::kCreate, name, life_); !s.ok()) return s;
  // A new file under an old name: the old bytes must not be written over.
  std::error_code ignored;
  fs::remove(name, ignored);
  IOStatus s = FileSystemWrapper::NewWritableFile(name, options, file, debug);
  if (s.ok()) s = Create(name);
  if (s.ok()) Wrap(name, file);
  return s;
}

IOStatus PowerLossFileSystem::ReopenWritableFile(
    const std::string& name, const rocksdb::FileOptions& options,
    std::unique_ptr<rocksdb::FSWritableFile>* file, IODebugContext* debug) {
  if (!IsOurs(name)) {
    return FileSystemWrapper::ReopenWritableFile(name, options, file, debug);
  }
  MutexLock lock(&mutex_);
  if (IOStatus s = Check(Op::kCreate, name, life_); !s.ok()) return s;
  IOStatus s =
      FileSystemWrapper::ReopenWritableFile(name, options, file, debug);
  if (s.ok() && !names_.contains(name)) s = Create(name);
  if (s.ok()) Wrap(name, file);
  return s;
}

IOStatus PowerLossFileSystem::ReuseWritableFile(
    const std::string& /*name*/, const std::string& /*old_name*/,
    const rocksdb::FileOptions& /*options*/,
    std::unique_ptr<rocksdb::FSWritableFile>* /*file*/,
    IODebugContext* /*debug*/) {
  // Files are appended to; recycled logs are not.
  return IOStatus::NotSupported("ReuseWritableFile");
}

IOStatus PowerLossFileSystem::NewRandomRWFile(
    const std::string& name, const rocksdb::FileOptions& options,
    std::unique_ptr<rocksdb::FSRandomRWFile>* file, IODebugContext* debug) {
  // For the sequence number of a file that is ingested; it is not named in the
  // MANIFEST before that is written, so what a power cut makes of it is no
  // one's concern.
  {
    MutexLock lock(&mutex_);
    if (IOStatus s = Check(Op::kAppend, name, life_); !s.ok()) return s;
  }
  return FileSystemWrapper::NewRandomRWFile(name, options, file, debug);
}

IOStatus PowerLossFileSystem::NewDirectory(
    const std::string& name, const IOOptions& options,
    std::unique_ptr<rocksdb::FSDirectory>* dir, IODebugContext* debug) {
  std::string clean = name;
  while (clean.size() > 1 && clean.back() == '/') clean.pop_back();
  if (clean != dir_) {
    return FileSystemWrapper::NewDirectory(name, options, dir, debug);
  }
  MutexLock lock(&mutex_);
  *dir = std::make_unique<PowerLossDirectory>(this, life_);
  return IOStatus::OK();
}

IOStatus PowerLossFileSystem::DeleteFile(const std::string& name,
                                         const IOOptions& options,
                                         IODebugContext* debug) {
  if (!IsOurs(name)) return FileSystemWrapper::DeleteFile(name, options, debug);
  MutexLock lock(&mutex_);
  if (IOStatus s = Check(Op::kDelete, name, life_); !s.ok()) return s;
  IOStatus s = FileSystemWrapper::DeleteFile(name, options, debug);
  if (s.ok()) Do({.gone = name, .name = std::nullopt, .inode = nullptr});
  return s;
}

IOStatus PowerLossFileSystem::RenameFile(const std::string& from,
                                         const std::string& to,
                                         const IOOptions& options,
                                         IODebugContext* debug) {
  if (!IsOurs(from)) {
    return FileSystemWrapper::RenameFile(from, to, options, debug);
  }
  MutexLock lock(&mutex_);
  if (IOStatus s = Check(Op::kRename, from, life_); !s.ok()) return s;
  IOStatus s = FileSystemWrapper::RenameFile(from, to, options, debug);
  if (s.ok()) Do({.gone = from, .name = to, .inode = names_.at(from)});
  return s;
}

IOStatus PowerLossFileSystem::LinkFile(const std::string& from,
                                       const std::string& to,
                                       const IOOptions& options,
                                       IODebugContext* debug) {
  MutexLock lock(&mutex_);
  if (IOStatus s = Check(Op::kLink, to, life_); !s.ok()) return s;
  IOStatus s = FileSystemWrapper::LinkFile(from, to, options, debug);
  if (s.ok() && IsOurs(from) && IsOurs(to)) {
    Do({.gone = std::nullopt, .name = to, .inode = names_.at(from)});
  }
  return s;
}

namespace {

// What a power cut leaves of a file of which `synced` bytes are safe.
std::string Remains(const std::string& path, uint64_t synced, Torn torn,
                    bool is_log, std::mt19937_64* random) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  synced = std::min<uint64_t>(synced, bytes.size());
  if (torn == Torn::kNothing || synced == bytes.size()) {
    bytes.resize(synced);
    return bytes;
  }
  bytes.resize(synced + (*random)() % (bytes.size() - synced + 1));
  if (torn == Torn::kGarbage && is_log && bytes.size() > synced) {
    const uint64_t page = std::min<uint64_t>(bytes.size() - synced, 512);
    for (uint64_t i = bytes.size() - page; i < bytes.size(); ++i) {
      bytes[i] = static_cast<char>((*random)());
    }
  }
  return bytes;
}

}  // namespace

void PowerLossFileSystem::Crash(Torn torn, uint64_t seed) {
  std::mt19937_64 random(seed);
  MutexLock lock(&mutex_);
  ++life_;
  frozen_ = false;
  if (life_ == 1) {
    // The first life finds a folder and takes it as synced.
    for (const fs::directory_entry& entry : fs::directory_iterator(dir_)) {
      if (!entry.is_regular_file() || !IsOurs(entry.path())) continue;
      if (!Create(entry.path()).ok()) continue;
      names_.at(entry.path())->synced = entry.file_size();
    }
    durable_ = names_;
    pending_.clear();
    return;
  }
  if (torn != Torn::kNothing) {
    // A journal keeps the order of changes, so it is a front part that stays.
    pending_.resize(random() % (pending_.size() + 1));
    for (const Change& change : pending_) Apply(change, &durable_);
  }
  pending_.clear();
  for (const fs::directory_entry& entry : fs::directory_iterator(dir_)) {
    if (IsOurs(entry.path())) fs::remove(entry.path());
  }
  // Two names of one file become two files; nobody writes to them any more.
  Names after;
  for (const auto& [name, inode] : durable_) {
    const bool is_log = absl::EndsWith(name, ".log");
    std::string bytes =
        Remains(inode->keep, inode->synced, torn, is_log, &random);
    std::ofstream(name, std::ios::binary) << bytes;
    auto fresh = std::make_shared<Inode>();
    fresh->keep = absl::StrCat(keep_dir_, "/", next_inode_++);
    fresh->synced = bytes.size();
    fs::create_hard_link(name, fresh->keep);
    after[name] = std::move(fresh);
  }
  names_ = after;
  durable_ = std::move(after);
}

}  // namespace waterflow::storage
