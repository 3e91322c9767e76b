// Hands what the engine says on its own thread to the thread that owns the
// session: the only lock between the two, and one wake-up for many letters.
//
// A letter gathers all news of one session until the owner takes it, so that a
// session that is slow to answer costs one ack and not a queue of them.
#ifndef WATERFLOW_SERVER_MAILBOX_H_
#define WATERFLOW_SERVER_MAILBOX_H_

#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/ingest_backend.h"
#include "storage/model/mutex.h"

namespace waterflow::server {

class IngestSession;
class Mailbox;

// Lanes that moved; the last entry of a lane counts. Few streams have more than
// a lane or two.
using MovedLanes = absl::InlinedVector<storage::LanePosition, 2>;

// Adds `lane` to `lanes`, in place of an entry of the same lane near the end.
void AddLane(const storage::LanePosition& lane, MovedLanes* lanes);

// What became of a session since its owner last looked.
struct News {
  MovedLanes lanes;
  storage::Position position;
  size_t durable_bytes = 0;
  std::optional<absl::StatusOr<std::unique_ptr<storage::StreamSession>>> opened;
  std::optional<absl::Status> ended;
};

// The engine's end of a session. It outlives the session for as long as the
// engine holds it; what comes after the session's end goes nowhere.
class SessionObserver final
    : public storage::StreamObserver,
      public std::enable_shared_from_this<SessionObserver> {
 public:
  SessionObserver(std::shared_ptr<Mailbox> mailbox, IngestSession* session)
      : mailbox_(std::move(mailbox)), session_(session) {}

  // Any thread.
  void OnDurable(absl::Span<const storage::LanePosition> lanes,
                 storage::Position position, size_t bytes) override;
  void OnEnded(absl::Status status) override;
  void OnOpened(absl::StatusOr<std::unique_ptr<storage::StreamSession>> opened);

  // The owner's thread only. Null after Detach.
  IngestSession* session() const { return session_; }
  void Detach() { session_ = nullptr; }

 private:
  friend class Mailbox;

  const std::shared_ptr<Mailbox> mailbox_;
  IngestSession* session_;
  // Where this session's letter lies in the mailbox, if it was put there since
  // the collection of this number. Guarded by the mailbox's lock.
  uint64_t collection_ = 0;
  size_t slot_ = 0;
};

struct Letter {
  std::shared_ptr<SessionObserver> to;
  News news;
};

class Mailbox {
 public:
  // Posts `tag` to `queue` when the first letter lies in the box. Both must
  // live until the queue is shut down, which must come after Close.
  Mailbox(grpc::CompletionQueue* queue, void* tag) : queue_(queue), tag_(tag) {}

  // Any thread. Lets `change` alter the news of `to`.
  template <typename Change>
  void Post(SessionObserver* to, Change change) {
    storage::MutexLock lock(&mutex_);
    if (closed_) return;
    change(NewsOf(to));
    Wake();
  }

  // Any thread: has the owner look even when there is no letter.
  void Nudge();

  // The owner, when the tag came: moves all letters into `letters`, which is
  // emptied first (its memory goes back into use).
  void Collect(std::vector<Letter>* letters);

  // The owner: nothing is taken and no tag is posted any more.
  void Close();

 private:
  News* NewsOf(SessionObserver* to) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Wake() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  grpc::CompletionQueue* const queue_;
  void* const tag_;

  storage::Mutex mutex_;
  std::vector<Letter> letters_ ABSL_GUARDED_BY(mutex_);
  uint64_t collection_ ABSL_GUARDED_BY(mutex_) = 1;
  // An alarm may be set again only after its tag was delivered.
  bool waking_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Alarm alarm_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_MAILBOX_H_
