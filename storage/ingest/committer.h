// The committer: one thread that gathers what all streams have pending into a
// group, writes the group as one log record, syncs once, applies it to the live
// state, and only then says so. Whatever an ack promises is decided here.
#ifndef WATERFLOW_STORAGE_INGEST_COMMITTER_H_
#define WATERFLOW_STORAGE_INGEST_COMMITTER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "storage/catalog/catalog.h"
#include "storage/engine.h"
#include "storage/ingest/lane.h"
#include "storage/ingest/live_state.h"
#include "storage/ingest/log.h"
#include "storage/ingest_backend.h"
#include "storage/model/mutex.h"

namespace waterflow::storage {

// A stream's session as the committer sees it.
struct SessionState {
  explicit SessionState(std::shared_ptr<StreamObserver> o)
      : observer(std::move(o)) {}

  const std::shared_ptr<StreamObserver> observer;
  // Nothing more is taken from it: it was replaced, it failed, or its run is
  // gone. Set by any thread, before the End that tells the observer.
  std::atomic<bool> closed{false};
  // What is queued must not be committed either, for rows before it are
  // missing.
  std::atomic<bool> failed{false};

  // The committer's own:
  bool cut = false;    // its End was met: what is queued behind it is too late
  bool ended = false;  // the observer heard OnEnded
  std::vector<LanePosition> acked;
  size_t acked_bytes = 0;
};

// Something to be committed, in the order it was queued.
struct Pending {
  enum class Kind {
    kBatch,      // lane, body, first_row, rows, skip ...
    kVoid,       // lane, first_row, rows: they count as delivered
    kDuplicate,  // lane: all of it was stored before; only an ack is due
    kChanges,    // of the catalog; may be empty, then `done` is a barrier
    kDelete,     // run
    kCloseLane,  // lane: its session is gone; in the queue, so that what the
                 // session has queued still finds the lane
    kEnd,        // tell the session's observer `status`
  };
  Kind kind = Kind::kChanges;
  // The next one must be in the same group: both are stored or neither.
  bool joined = false;
  // Changes that are worth nothing without the rows they are joined to: when
  // these fail they are dropped, and not carried into the next group.
  bool with_rows = false;
  // The committer's own: it was left out, its session had failed or ended.
  bool dropped = false;
  std::shared_ptr<SessionState> session;
  std::shared_ptr<Lane> lane;
  BatchBody body;
  uint64_t first_row = 0;
  uint64_t rows = 0;
  uint32_t skip = 0;
  uint32_t attempt = 1;
  uint64_t values = 0;
  int64_t received_ns = 0;
  bool has_step = false;
  bool has_time = false;
  // For writers that do not number their rows: the lane's next ones.
  bool assign_row = false;
  Changes changes;
  RunId run;
  absl::Status status;
  // Called on the committer's thread; must not block.
  std::function<void(const absl::Status&, Position)> done;
};

// Ends a session, which takes nothing more from now on: its observer hears
// `status` once what was queued before it is committed.
inline Pending EndOf(std::shared_ptr<SessionState> session,
                     absl::Status status) {
  session->closed.store(true);
  Pending end;
  end.kind = Pending::Kind::kEnd;
  end.session = std::move(session);
  end.status = std::move(status);
  return end;
}

class Committer {
 public:
  struct Stats {
    uint64_t groups = 0;
    uint64_t bytes = 0;
    uint64_t batches = 0;
  };

  // `wait_for_room` blocks while heads are full and may fail when that will not
  // pass (the disk is full); it is called before each group that holds rows.
  Committer(const EngineOptions& options, Log* log, LiveState* state,
            std::function<absl::Status()> wait_for_room);
  ~Committer();

  void Start(Position last);
  // Commits what is queued, then ends. Later items fail with UNAVAILABLE.
  void Stop();

  // Thread-safe. Moves from the items, which stay in one order.
  void Enqueue(Pending item);
  void Enqueue(absl::Span<Pending> items);
  // Queues changes and waits until they are durable.
  absl::Status CommitAndWait(Changes changes);

  size_t pending_bytes() const {
    return pending_bytes_.load(std::memory_order_relaxed);
  }
  Stats stats() const;

 private:
  using Group = std::vector<Pending>;

  void Run();
  // Waits for a group's worth of items; false: stopped and nothing is left.
  bool Gather(Group* group);
  void Commit(Group& group);
  // Drops what must not be committed and encodes the rest as log records.
  void Encode(Group& group);
  absl::Status AppendToLog();
  void Apply(Group& group, Position position);
  void Acknowledge(Group& group, Position position);
  void Fail(Group& group, const absl::Status& status);
  void End(SessionState& session, const absl::Status& status);

  const EngineOptions options_;
  Log* const log_;
  LiveState* const state_;
  const std::function<absl::Status()> wait_for_room_;

  Mutex mutex_;
  CondVar wake_;
  std::vector<Pending> queue_ ABSL_GUARDED_BY(mutex_);
  size_t queue_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;

  std::atomic<size_t> pending_bytes_{0};
  std::atomic<uint64_t> groups_{0};
  std::atomic<uint64_t> bytes_{0};
  std::atomic<uint64_t> batches_{0};

  // The thread's own:
  Position last_;
  std::vector<Pending> backlog_;  // taken from the queue, beyond the group cap
  size_t backlog_at_ = 0;
  size_t last_group_items_ = 0;
  // Changes of groups that failed: the catalog in memory has them already, so
  // they go with the next group.
  Changes carried_;
  std::vector<RunId> carried_deletes_;
  // The records of the group at hand: all but the bodies of batches, and where
  // in it which body goes. So a body is copied once on its way to the log, into
  // RocksDB's own buffer.
  std::string records_;
  std::vector<std::pair<size_t, absl::string_view>> bodies_;
  std::vector<absl::string_view> pieces_;
  std::vector<SessionState*> touched_sessions_;
  std::thread thread_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_INGEST_COMMITTER_H_
