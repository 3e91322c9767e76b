// Batches one after another in a file: the least that a server can do which
// acks only what is durable, and nothing that could be read back by run, metric
// or step.
#include <fcntl.h>
#include <limits.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/batch_store.h"
#include "storage/model/mutex.h"

namespace waterflow::bench {
namespace {

// The next file is begun and the last one removed, as a log is trimmed: a flood
// would fill the disk.
constexpr size_t kFileBytes = size_t{256} << 20;

class FileStore final : public BatchStore {
 public:
  explicit FileStore(std::filesystem::path folder)
      : folder_(std::move(folder)) {}
  ~FileStore() override {
    if (file_ >= 0) close(file_);
  }

  absl::Status Begin();
  absl::Status Take(const storage::StreamOptions& stream,
                    storage::BatchBody body) override;
  absl::Status Commit() override;

 private:
  std::filesystem::path Path(uint64_t number) const {
    return folder_ / absl::StrCat("log.", number);
  }
  absl::Status WriteAll(std::vector<iovec>* parts);

  const std::filesystem::path folder_;
  storage::Mutex mutex_;
  std::vector<storage::BatchBody> taken_ ABSL_GUARDED_BY(mutex_);
  // Of the committing thread.
  int file_ = -1;
  uint64_t number_ = 0;
  size_t written_ = 0;
};

absl::Status FileError(absl::string_view what) {
  return absl::InternalError(absl::StrCat(what, ": ", std::strerror(errno)));
}

absl::Status FileStore::Begin() {
  if (file_ >= 0) close(file_);
  ++number_;
  written_ = 0;
  file_ = open(Path(number_).c_str(),
               O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
  if (file_ < 0) return FileError("cannot make a log file");
  std::error_code ignored;
  std::filesystem::remove(Path(number_ - 1), ignored);
  return absl::OkStatus();
}

absl::Status FileStore::Take(const storage::StreamOptions& /*stream*/,
                             storage::BatchBody body) {
  storage::MutexLock lock(&mutex_);
  taken_.push_back(std::move(body));
  return absl::OkStatus();
}

absl::Status FileStore::WriteAll(std::vector<iovec>* parts) {
  size_t at = 0;
  while (at < parts->size()) {
    const auto count =
        static_cast<int>(std::min<size_t>(parts->size() - at, IOV_MAX));
    ssize_t wrote = writev(file_, parts->data() + at, count);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return FileError("cannot write the log");
    written_ += static_cast<size_t>(wrote);
    while (at < parts->size() &&
           wrote >= static_cast<ssize_t>((*parts)[at].iov_len)) {
      wrote -= static_cast<ssize_t>((*parts)[at].iov_len);
      ++at;
    }
    if (wrote > 0) {
      iovec& part = (*parts)[at];
      part.iov_base = static_cast<char*>(part.iov_base) + wrote;
      part.iov_len -= static_cast<size_t>(wrote);
    }
  }
  return absl::OkStatus();
}

absl::Status FileStore::Commit() {
  std::vector<storage::BatchBody> bodies;
  {
    storage::MutexLock lock(&mutex_);
    bodies.swap(taken_);
  }
  std::vector<iovec> parts;
  parts.reserve(bodies.size());
  for (const storage::BatchBody& body : bodies) {
    parts.push_back({body.bytes.get(), body.size});
  }
  const absl::Status wrote = WriteAll(&parts);
  if (!wrote.ok()) return wrote;
  if (fdatasync(file_) != 0) return FileError("fdatasync");
  return written_ >= kFileBytes ? Begin() : absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<BatchStore>> MakeFileStore(
    const std::filesystem::path& folder) {
  auto store = std::make_unique<FileStore>(folder);
  const absl::Status begun = store->Begin();
  if (!begun.ok()) return begun;
  return store;
}

}  // namespace waterflow::bench
