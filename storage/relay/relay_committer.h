// The relay's committer: one thread that gathers what all sessions have
// pending, writes it with one sync, and then says so. It writes each stream's
// entry and how far the stream has come in one batch, so a start reads no log.
#ifndef WATERFLOW_STORAGE_RELAY_RELAY_COMMITTER_H_
#define WATERFLOW_STORAGE_RELAY_RELAY_COMMITTER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "storage/database/database.h"
#include "storage/engine.h"
#include "storage/ingest_backend.h"
#include "storage/keep/disk_reserve.h"
#include "storage/model/mutex.h"
#include "storage/relay/relay_record.h"
#include "storage/relay/relay_state.h"

namespace waterflow::storage {

// What the upstream has of a stream.
struct RelayTrim {
  std::vector<uint64_t> positions;
  std::map<uint32_t, uint64_t> forwarded_rows;
  RelayMark mark;  // from now on
};

// Something to be committed, in the order it was queued.
struct RelayPending {
  enum class Kind {
    kOpen,       // opening; `done` when it and all before it is durable
    kSchema,     // schema
    kBatch,      // schema, first_row, rows, skip, received_ns, body
    kRefused,    // schema, first_row, rows
    kLost,       // schema, first_row, rows
    kDuplicate,  // schema: all of it was stored before; only an ack is due
    kTrim,       // trim: entries that the upstream has; needs no sync
    kDrop,       // the stream's run is gone: so are all its rows
    kEnd,        // tell the session's observer `status`
  };
  Kind kind = Kind::kOpen;
  bool left_out = false;  // the committer's own: its session was over
  std::shared_ptr<RelayStream> stream;
  std::shared_ptr<SessionState> session;
  RelayLane* lane = nullptr;  // of the stream, by `schema`
  uint32_t schema = 0;
  uint64_t first_row = 0;
  uint64_t rows = 0;
  uint32_t skip = 0;
  int64_t received_ns = 0;
  BatchBody body;
  RelayOpening opening;
  std::unique_ptr<RelayTrim> trim;
  absl::Status status;
  // Called on the committer's thread; must not block.
  std::function<void(const absl::Status&)> done;
};

// As EndOf() of the engine's committer: ends a session of a relay's stream,
// which takes nothing more from now on.
inline RelayPending RelayEndOf(std::shared_ptr<RelayStream> stream,
                               std::shared_ptr<SessionState> session,
                               absl::Status status) {
  session->closed.store(true);
  RelayPending end;
  end.kind = RelayPending::Kind::kEnd;
  end.stream = std::move(stream);
  end.session = std::move(session);
  end.status = std::move(status);
  return end;
}

class RelayCommitter {
 public:
  RelayCommitter(const EngineOptions& options, Database* database,
                 RelayState* state);
  ~RelayCommitter();

  // Positions go on behind `last`.
  void Start(uint64_t last);
  // Commits what is queued, then ends. Later items fail with UNAVAILABLE.
  void Stop();

  // Thread-safe.
  void Enqueue(RelayPending item);

  size_t pending_bytes() const {
    return pending_bytes_.load(std::memory_order_relaxed);
  }

 private:
  using Group = std::vector<RelayPending>;

  // What a group adds to a stream.
  struct Addition {
    std::shared_ptr<RelayStream> stream;
    RelayMark mark;
    std::string entry;
    std::map<uint32_t, uint64_t> next_rows;
    bool dropped = false;
  };

  void Run();
  bool Gather(Group* group);
  void Commit(Group& group);
  absl::Status Write(Group& group);
  void Encode(const RelayPending& item);
  void EncodeTrim(const RelayStream& stream, const RelayTrim& trim);
  void EncodeDrop(const RelayStream& stream);
  void EndEntry(Addition* addition);
  Addition& AdditionTo(const std::shared_ptr<RelayStream>& stream);
  void Apply(const Group& group);
  void Acknowledge(Group& group);
  void Fail(Group& group, const absl::Status& status);
  static void End(SessionState& session, const absl::Status& status);

  const EngineOptions options_;
  Database* const database_;
  RelayState* const state_;
  DiskReserve reserve_;

  Mutex mutex_;
  CondVar wake_;
  Group queue_ ABSL_GUARDED_BY(mutex_);
  size_t queue_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;

  std::atomic<size_t> pending_bytes_{0};

  // The thread's own:
  Group backlog_;  // taken from the queue, beyond the group cap
  size_t backlog_at_ = 0;
  size_t last_group_items_ = 0;
  // Of groups that failed: what memory has already, so it goes with the next.
  Group carried_;
  uint64_t position_ = 0;
  rocksdb::WriteBatch batch_;
  std::vector<Addition> additions_;
  absl::flat_hash_map<RelayStream*, size_t> addition_of_;
  std::vector<SessionState*> touched_sessions_;
  std::thread thread_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_RELAY_RELAY_COMMITTER_H_
