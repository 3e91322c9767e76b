#include "bench/storage/counting_env.h"

#include <rocksdb/file_system.h>

#include <string>
#include <utility>

#include "absl/strings/match.h"

namespace waterflow::bench {
namespace {

class CountingFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  CountingFile(std::unique_ptr<rocksdb::FSWritableFile> file,
               std::atomic<uint64_t>* bytes)
      : FSWritableFileOwnerWrapper(std::move(file)), bytes_(bytes) {}

  rocksdb::IOStatus Append(const rocksdb::Slice& data,
                           const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* debug) override {
    bytes_->fetch_add(data.size());
    return FSWritableFileOwnerWrapper::Append(data, options, debug);
  }
  rocksdb::IOStatus Append(const rocksdb::Slice& data,
                           const rocksdb::IOOptions& options,
                           const rocksdb::DataVerificationInfo& check,
                           rocksdb::IODebugContext* debug) override {
    bytes_->fetch_add(data.size());
    return FSWritableFileOwnerWrapper::Append(data, options, check, debug);
  }

 private:
  std::atomic<uint64_t>* const bytes_;
};

class CountingFileSystem : public rocksdb::FileSystemWrapper {
 public:
  explicit CountingFileSystem(BytesWritten* written)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), written_(written) {}
  const char* Name() const override { return "CountingFileSystem"; }

  rocksdb::IOStatus NewWritableFile(
      const std::string& name, const rocksdb::FileOptions& options,
      std::unique_ptr<rocksdb::FSWritableFile>* file,
      rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus s =
        FileSystemWrapper::NewWritableFile(name, options, file, debug);
    if (s.ok()) {
      *file = std::make_unique<CountingFile>(std::move(*file), CounterOf(name));
    }
    return s;
  }

 private:
  std::atomic<uint64_t>* CounterOf(const std::string& name) {
    if (absl::EndsWith(name, ".log")) return &written_->log;
    if (absl::StrContains(name, "/seal-")) return &written_->seals;
    if (absl::StrContains(name, "/merge-")) return &written_->merges;
    if (absl::EndsWith(name, ".sst")) return &written_->tables;
    return &written_->others;
  }

  BytesWritten* const written_;
};

}  // namespace

std::unique_ptr<rocksdb::Env> NewCountingEnv(BytesWritten* written) {
  return rocksdb::NewCompositeEnv(
      std::make_shared<CountingFileSystem>(written));
}

}  // namespace waterflow::bench
