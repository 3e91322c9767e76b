// What may stand in the engine's place behind the server's own front: nothing
// (the byte sink, which is the ceiling of the front alone), a file that is
// appended to (the ceiling of anything durable), or the design that one would
// write first (a message and a RocksDB key per sample).
#ifndef WATERFLOW_BENCH_BATCH_STORE_H_
#define WATERFLOW_BENCH_BATCH_STORE_H_

#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/ingest_backend.h"

namespace waterflow::bench {

class BatchStore {
 public:
  virtual ~BatchStore() = default;

  // Called by any polling thread.
  virtual absl::Status Take(const storage::StreamOptions& stream,
                            storage::BatchBody body) = 0;
  // Makes durable what was taken before; called by one thread.
  virtual absl::Status Commit() = 0;
};

// Forgets what it takes.
std::unique_ptr<BatchStore> MakeSinkStore();
// One write and one fdatasync a commit.
absl::StatusOr<std::unique_ptr<BatchStore>> MakeFileStore(
    const std::filesystem::path& folder);
// Parses each batch and puts each value under a key of its own, in RocksDB as
// it comes; one sync of its log a commit, which is kinder than naive.
absl::StatusOr<std::unique_ptr<BatchStore>> MakeNaiveStore(
    const std::filesystem::path& folder);

// By name: "sink", "file" or "naive".
absl::StatusOr<std::unique_ptr<BatchStore>> MakeBatchStore(
    const std::string& name, const std::filesystem::path& folder);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_BATCH_STORE_H_
