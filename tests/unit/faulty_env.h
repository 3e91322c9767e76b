// A file system that runs out of space when a test says so: writes to files
// whose name matches fail, as on a full disk. All else is the real one.
#ifndef WATERFLOW_TESTS_UNIT_FAULTY_ENV_H_
#define WATERFLOW_TESTS_UNIT_FAULTY_ENV_H_

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "storage/model/mutex.h"

namespace waterflow::storage {

// Says whether a write to this file fails; may be changed at any time.
class FaultPlan {
 public:
  using Fails = std::function<bool(const std::string& file)>;

  void Set(Fails fails) {
    MutexLock lock(&mutex_);
    fails_ = std::move(fails);
  }
  // What the disk says it has left.
  void SetFreeBytes(std::optional<uint64_t> bytes) {
    MutexLock lock(&mutex_);
    free_bytes_ = bytes;
  }
  std::optional<uint64_t> free_bytes() {
    MutexLock lock(&mutex_);
    return free_bytes_;
  }
  bool Hits(const std::string& file) {
    MutexLock lock(&mutex_);
    return fails_ && fails_(file);
  }

 private:
  Mutex mutex_;
  Fails fails_ ABSL_GUARDED_BY(mutex_);
  std::optional<uint64_t> free_bytes_ ABSL_GUARDED_BY(mutex_);
};

class FaultyFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  FaultyFile(std::unique_ptr<rocksdb::FSWritableFile> file, std::string name,
             FaultPlan* plan)
      : FSWritableFileOwnerWrapper(std::move(file)),
        name_(std::move(name)),
        plan_(plan) {}

  using FSWritableFileOwnerWrapper::Append;
  rocksdb::IOStatus Append(const rocksdb::Slice& bytes,
                           const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* debug) override {
    if (plan_->Hits(name_)) return rocksdb::IOStatus::NoSpace("disk is full");
    return FSWritableFileOwnerWrapper::Append(bytes, options, debug);
  }
  rocksdb::IOStatus Sync(const rocksdb::IOOptions& options,
                         rocksdb::IODebugContext* debug) override {
    if (plan_->Hits(name_)) return rocksdb::IOStatus::NoSpace("disk is full");
    return FSWritableFileOwnerWrapper::Sync(options, debug);
  }

 private:
  const std::string name_;
  FaultPlan* const plan_;
};

class FaultyFileSystem : public rocksdb::FileSystemWrapper {
 public:
  explicit FaultyFileSystem(FaultPlan* plan)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), plan_(plan) {}
  const char* Name() const override { return "FaultyFileSystem"; }

  rocksdb::IOStatus NewWritableFile(
      const std::string& name, const rocksdb::FileOptions& options,
      std::unique_ptr<rocksdb::FSWritableFile>* file,
      rocksdb::IODebugContext* debug) override {
    if (plan_->Hits(name)) return rocksdb::IOStatus::NoSpace("disk is full");
    rocksdb::IOStatus s =
        FileSystemWrapper::NewWritableFile(name, options, file, debug);
    if (s.ok()) {
      *file = std::make_unique<FaultyFile>(std::move(*file), name, plan_);
    }
    return s;
  }

  rocksdb::IOStatus GetFreeSpace(const std::string& path,
                                 const rocksdb::IOOptions& options,
                                 uint64_t* free_bytes,
                                 rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus s =
        FileSystemWrapper::GetFreeSpace(path, options, free_bytes, debug);
    *free_bytes = plan_->free_bytes().value_or(*free_bytes);
    if (plan_->Hits(path)) *free_bytes = 0;
    return s;
  }

 private:
  FaultPlan* const plan_;
};

inline std::unique_ptr<rocksdb::Env> NewFaultyEnv(FaultPlan* plan) {
  return rocksdb::NewCompositeEnv(std::make_shared<FaultyFileSystem>(plan));
}

}  // namespace waterflow::storage

#endif  // WATERFLOW_TESTS_UNIT_FAULTY_ENV_H_
