// One completion queue, the one thread that polls it, and the sessions that
// this thread owns. Whatever touches a session happens here, so sessions need
// no locks; the engine's thread reaches them through the mailbox.
//
//   Loop(...)  on the starter's thread, before the gRPC server is built
//   Start()    after it is built
//   Drain()    ends all sessions: acks what becomes durable, then UNAVAILABLE
//   Stop()     after the gRPC server has shut down; joins the thread
#ifndef WATERFLOW_SERVER_INGEST_LOOP_H_
#define WATERFLOW_SERVER_INGEST_LOOP_H_

#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "server/admission.h"
#include "server/mailbox.h"
#include "storage/ingest_backend.h"
#include "storage/model/mutex.h"
#include "waterflow/v1/ingest.grpc.pb.h"

namespace waterflow::server {

// Ingest with Stream as raw messages on a completion queue; Write stays an
// ordinary method (UNIMPLEMENTED unless a subclass has it).
using StreamService = v1::Ingest::WithRawMethod_Stream<v1::Ingest::Service>;

// What a completion queue hands back: whom to call.
struct CqTag {
  void (*run)(void* owner, bool ok) = nullptr;
  void* owner = nullptr;
};

class IngestLoop {
 public:
  // None of the three is owned; all must outlive the loop.
  IngestLoop(std::unique_ptr<grpc::ServerCompletionQueue> queue,
             StreamService* service, storage::IngestBackend* backend,
             Admission* admission);
  ~IngestLoop();

  void Start();
  void Drain();
  // Waits until no call is left, at most until `deadline`.
  void AwaitDrained(absl::Time deadline);
  void Stop();

  // ---- for the sessions, on the loop's thread ----
  StreamService* service() const { return service_; }
  storage::IngestBackend* backend() const { return backend_; }
  Admission* admission() const { return admission_; }
  grpc::ServerCompletionQueue* queue() const { return queue_.get(); }
  const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }
  // No operation may be started any more.
  bool stopping() const { return stopping_; }
  // Set once the loop drains: new calls end at once.
  bool draining() const { return draining_; }

  // A call came for `session`: waits for the next one with a new session.
  void AcceptNext();
  // Deletes a session that has nothing under way.
  void Retire(IngestSession* session);
  // Has the session resume reading after `wait`, at the latest when the loop
  // looks next after that: some milliseconds.
  void ResumeAfter(IngestSession* session, absl::Duration wait);

  // How often all sessions were looked at; and whether that is longer ago than
  // the server's patience.
  uint32_t looks() const { return looks_; }
  bool PatienceIsOver(uint32_t since_look) const {
    return looks_ - since_look > kLooksPerPatience;
  }

  // Scratch messages whose memory is used over and over.
  v1::StreamRequest* request() { return &request_; }
  v1::StreamResponse* response() { return &response_; }

 private:
  void Run();
  void OnMail();
  void OnRecheck();
  void OnLook();
  void SetLook();
  std::vector<IngestSession*> AllSessions() const;
  void SetRecheck();
  void ResumeWaiting();
  void DrainSessions();
  // Tells AwaitDrained when only the session that waits for a call is left.
  void NoteIfDrained();

  StreamService* const service_;
  storage::IngestBackend* const backend_;
  Admission* const admission_;
  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  CqTag mail_tag_;
  CqTag recheck_tag_;
  CqTag look_tag_;
  const std::shared_ptr<Mailbox> mailbox_;

  // Orders from other threads, carried out when the mailbox is nudged.
  std::atomic<bool> drain_asked_{false};
  std::atomic<bool> stop_asked_{false};

  storage::Mutex mutex_;
  storage::CondVar drained_changed_;
  bool drained_ ABSL_GUARDED_BY(mutex_) = false;

  // The loop's thread only.
  bool draining_ = false;
  bool stopping_ = false;
  absl::flat_hash_map<IngestSession*, std::unique_ptr<IngestSession>> sessions_;
  // And from when on each may go on.
  absl::flat_hash_map<IngestSession*, absl::Time> waiting_;
  bool rechecking_ = false;
  uint32_t looks_ = 0;
  grpc::Alarm look_;
  grpc::Alarm recheck_;
  std::vector<Letter> letters_;
  v1::StreamRequest request_;
  v1::StreamResponse response_;

  std::thread thread_;
};

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_INGEST_LOOP_H_
