// What a relay knows of its streams, in memory: all of it but the rows.
#ifndef WATERFLOW_STORAGE_RELAY_RELAY_STATE_H_
#define WATERFLOW_STORAGE_RELAY_RELAY_STATE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "storage/database/database.h"
#include "storage/ingest/committer.h"
#include "storage/model/mutex.h"
#include "storage/relay/relay_record.h"

namespace waterflow::storage {

// A schema of a stream, and how far its rows have come. Two places count: rows
// are stored, and then forwarded. (A session counts what it has queued.)
struct RelayLane {
  void SetMetrics(std::vector<Metric> all);

  std::shared_ptr<const std::vector<Metric>> metrics;
  std::shared_ptr<const std::vector<std::string>> names;
  bool stored = false;  // its metrics are on disk
  uint64_t next_row = 0;
  uint64_t forwarded_row = 0;  // the rows below are not in the log any more
};

// One stream of one worker. Guarded by RelayState's lock, but for what is
// constant; the committer alone writes `stored`, `appended`, lanes' `stored`
// and `next_row`, so it may read these without.
struct RelayStream {
  RelayStream(uint32_t n, RelayIdentity i)
      : number(n), identity(std::move(i)) {}

  const uint32_t number;
  const RelayIdentity identity;
  bool stored = false;
  bool dropped = false;  // its run was deleted; nothing of it counts any more
  RelayMark appended;
  RelayMark trimmed;
  std::map<uint32_t, RelayLane> lanes;
  // The session that is open; there may be none.
  std::shared_ptr<SessionState> session;
  int64_t heartbeat_ns = 0;  // the relay's clock at the last one

  uint64_t waiting_bytes() const { return appended.bytes - trimmed.bytes; }
  uint64_t waiting_rows() const { return appended.rows - trimmed.rows; }
};

class RelayState {
 public:
  // All streams, as they are on disk.
  absl::Status Load(const Database& database);

  Mutex mutex;
  std::map<RelayIdentity, std::shared_ptr<RelayStream>> streams
      ABSL_GUARDED_BY(mutex);
  std::map<uint32_t, std::shared_ptr<RelayStream>> by_number
      ABSL_GUARDED_BY(mutex);
  uint32_t next_number ABSL_GUARDED_BY(mutex) = 1;
  // Streams of which the forwarder has something to hear.
  std::set<uint32_t> news ABSL_GUARDED_BY(mutex);

  // In the log, over all streams.
  std::atomic<uint64_t> waiting_bytes{0};

  // Has the forwarder look into `news`. To be set before sessions come.
  void SetWake(std::function<void()> wake) {
    MutexLock lock(&wake_mutex_);
    wake_ = std::move(wake);
  }
  void Wake() {
    MutexLock lock(&wake_mutex_);
    if (wake_) wake_();
  }

 private:
  absl::Status LoadKey(absl::string_view key, absl::string_view value)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  Mutex wake_mutex_;
  std::function<void()> wake_ ABSL_GUARDED_BY(wake_mutex_);
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_RELAY_RELAY_STATE_H_
