// The server's own front over something simpler than the engine: it acks as the
// engine does, and what becomes of the bytes is a BatchStore's business. What
// the server costs above the one that stores nothing is the engine.
#ifndef WATERFLOW_BENCH_GROUP_BACKEND_H_
#define WATERFLOW_BENCH_GROUP_BACKEND_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "bench/batch_store.h"
#include "storage/ingest_backend.h"
#include "storage/model/mutex.h"

namespace waterflow::bench {

struct GroupOptions {
  // As the engine gathers commit groups.
  absl::Duration gather = absl::Milliseconds(5);
  size_t group_bytes = size_t{4} << 20;
};

// Acks in groups as the engine's committer does under load: a group starts with
// the first batch that arrives and is committed and acked, from a thread of its
// own, when it is `gather` old or has `group_bytes`.
class GroupBackend final : public storage::IngestBackend {
 public:
  explicit GroupBackend(std::unique_ptr<BatchStore> store = MakeSinkStore(),
                        GroupOptions options = {});
  // After the last session.
  ~GroupBackend() override;

  void OpenStream(storage::StreamOptions options,
                  std::shared_ptr<storage::StreamObserver> observer,
                  OpenedCallback done) override;
  size_t pending_bytes() const override { return pending_bytes_.load(); }
  size_t max_pending_bytes() const override { return size_t{64} << 20; }

 private:
  class Session;
  // What a stream has to be told with the next group.
  struct Entry {
    std::shared_ptr<storage::StreamObserver> observer;
    absl::InlinedVector<storage::LanePosition, 1> lanes;
    size_t bytes = 0;
  };

  // Adds a batch to the group; `slot` and `group` say where its stream's entry
  // lies and are kept by the session.
  void Count(const std::shared_ptr<storage::StreamObserver>& observer,
             storage::LanePosition lane, size_t bytes, uint64_t* group,
             size_t* slot);
  void Run();
  void AwaitGroup() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::unique_ptr<BatchStore> store_;
  const GroupOptions options_;
  std::atomic<size_t> pending_bytes_{0};
  storage::Mutex mutex_;
  storage::CondVar wake_;
  std::vector<Entry> entries_ ABSL_GUARDED_BY(mutex_);
  size_t group_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t group_ ABSL_GUARDED_BY(mutex_) = 1;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

struct GroupServerOptions {
  std::string listen = "127.0.0.1:0";
  int threads = 1;
  std::string port_file;         // the bound port is left here; empty: nowhere
  std::string store = "sink";    // see MakeBatchStore
  std::filesystem::path folder;  // of the store
};

// Serves until SIGINT or SIGTERM.
absl::Status RunGroupServer(const GroupServerOptions& options);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_GROUP_BACKEND_H_
