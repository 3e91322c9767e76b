// What a relay keeps: the streams of its node's workers, durable until the
// server upstream has them. An IngestBackend, so that the same front serves it
// as serves the engine; and on the other side the door of who forwards
// (server/relay/), by one thread:
//
//   for (uint32_t stream : store->TakeNews()) {
//     std::optional<RelayStreamView> view = store->View(stream);
//     auto window = store->Read(stream, 4 << 20);
//     ... send it, wait until the upstream has acked all of it ...
//     store->Trim(stream, **window);
//   }
//
// Rows are stored by stream, so that each is forwarded at its own pace: one
// whose project is full at the upstream holds up no other.
#ifndef WATERFLOW_STORAGE_RELAY_RELAY_STORE_H_
#define WATERFLOW_STORAGE_RELAY_RELAY_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/engine.h"
#include "storage/ingest_backend.h"
#include "storage/relay/relay_limits.h"
#include "storage/relay/relay_record.h"
#include "storage/relay/relay_window.h"

namespace waterflow::storage {

class Database;
class Periodic;
class RelayCommitter;
class RelayState;

struct RelayStoreOptions {
  // data_dir, sync, sync_interval, gather, group_bytes, memory_limit_bytes,
  // disk_reserve_bytes, env and at_point count; its points are
  // relay:before_commit and relay:after_commit.
  EngineOptions engine;
  // So much may wait for the upstream; beyond it no rows are taken.
  uint64_t disk_bytes = kDefaultRelayDiskBytes;
  // How often is looked whether files hold more of what was forwarded than of
  // what waits.
  absl::Duration reclaim_interval = absl::Seconds(10);
};

// A stream as the forwarder sees it.
struct RelayStreamView {
  RelayIdentity identity;
  // What the next rows belong to, and whether the upstream heard of it.
  RelayOpening opening;
  bool announced = false;
  bool waiting = false;  // there is something to read
  bool live = false;     // a worker's session is open
  int64_t heartbeat_ns = 0;
};

struct RelayStats {
  uint64_t streams = 0;
  uint64_t open_streams = 0;
  uint64_t waiting_streams = 0;
  uint64_t waiting_rows = 0;
  uint64_t waiting_bytes = 0;
  uint64_t disk_limit_bytes = 0;
  // When the oldest row that waits was received; 0 when none does.
  int64_t oldest_ns = 0;
  uint64_t sst_bytes = 0;
  uint64_t wal_bytes = 0;
};

class RelayStore final : public IngestBackend {
 public:
  // In a folder of its own below data_dir. FAILED_PRECONDITION when another
  // process holds it, when its version is not ours, or when data_dir holds a
  // server's store.
  static absl::StatusOr<std::unique_ptr<RelayStore>> Open(
      const RelayStoreOptions& options);
  // Whether a relay has kept its streams there.
  static bool IsIn(const std::string& data_dir);
  // Commits what is queued. No session may be open.
  ~RelayStore() override;

  void OpenStream(StreamOptions options,
                  std::shared_ptr<StreamObserver> observer,
                  OpenedCallback done) override;
  size_t pending_bytes() const override;
  size_t max_pending_bytes() const override;
  bool forwards() const override { return true; }

  // ---- of the forwarder ----

  // Called, by any thread, when there is news. Null: by nobody.
  void SetWake(std::function<void()> wake);
  // Numbers of streams of which something is new; at the first call all.
  std::vector<uint32_t> TakeNews();
  // Nothing when the stream is gone.
  std::optional<RelayStreamView> View(uint32_t stream) const;
  // Of each lane that was forwarded: the first row that may still be sent.
  std::vector<LanePosition> Held(uint32_t stream) const;
  // The metrics of a schema; null when there is no such.
  std::shared_ptr<const std::vector<Metric>> Metrics(uint32_t stream,
                                                     uint32_t schema) const;
  // What waits first, of about so many bytes (a single entry may have more).
  // An empty window: nothing waits. DATA_LOSS when it cannot be read.
  absl::StatusOr<std::unique_ptr<RelayWindow>> Read(uint32_t stream,
                                                    uint64_t bytes) const;
  // The upstream has all of the window, which was read last. Returns at once;
  // the disk follows.
  void Trim(uint32_t stream, const RelayWindow& window);
  // The upstream knows no such run: forgets its streams, with their rows, and
  // ends their sessions with `status`.
  void Drop(const Uuid& run, const absl::Status& status);

  // In the log, not yet at the upstream.
  uint64_t waiting_bytes() const;
  RelayStats Stats() const;

 private:
  explicit RelayStore(const RelayStoreOptions& options);
  absl::Status CheckVersion();
  // What was trimmed takes room in files until they are compacted, for which
  // RocksDB by itself sees no need when nothing more comes.
  void GiveDiskBack() const;

  RelayStoreOptions options_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<RelayState> state_;
  std::unique_ptr<RelayCommitter> committer_;
  std::unique_ptr<Periodic> reclaim_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_RELAY_RELAY_STORE_H_
