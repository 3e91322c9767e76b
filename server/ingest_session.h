// One call of Ingest.Stream: a state machine on the thread that owns it, with
// at most one read and one write under way.
//
//                 Open              engine opened it          Close,
//                 half-close,
//   kAwaitingOpen ----> kOpening ------------------> kOpen
//   ----------------------+
//                          | NOT_FOUND, ...            | engine ended it, drain
//                          | v                           v v
//                          +-----------------------> kEnding
//                          <------------------+
//
// In kEnding nothing is read any more; when all that was appended is durable
// (unless the store has given up on it), the last ack goes out and the call
// ends.
//
// What ends a call and what does not:
//   - a malformed Open, a second Open: the call ends with INVALID_ARGUMENT;
//   - a batch or schema before Open: Rejected with FAILED_PRECONDITION;
//   - a message that does not parse, or of a kind unknown here: Rejected with
//     INVALID_ARGUMENT and what is wrong with it (an Open ends the call);
//   - a batch or schema that the engine refuses: Rejected with its reason;
//   - more streams than may be open: the call ends with RESOURCE_EXHAUSTED; no
//     Open, answers that nobody reads, batches beyond the credit, each for
//     longer than the server's patience: with that or DEADLINE_EXCEEDED.
// After Rejected the call goes on.
#ifndef WATERFLOW_SERVER_INGEST_SESSION_H_
#define WATERFLOW_SERVER_INGEST_SESSION_H_

#include <grpcpp/completion_queue.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/byte_buffer.h>

#include <deque>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "server/admission.h"
#include "server/ingest_loop.h"
#include "server/mailbox.h"
#include "storage/ingest_backend.h"
#include "waterflow/v1/ingest.grpc.pb.h"

namespace waterflow::server {

class IngestSession {
 public:
  explicit IngestSession(IngestLoop* loop);
  ~IngestSession();
  IngestSession(const IngestSession&) = delete;
  IngestSession& operator=(const IngestSession&) = delete;

  // Waits for the next call. Nothing else is called before it came.
  void Accept();

  // What the engine said.
  void Hear(News news);

  // What it waited for may be so: the store has room, a limit's second passed.
  void ResumeReading();

  // A look at all sessions, now and then: sends away whose client is not worth
  // waiting for. May delete this session.
  void Look();

  // Takes nothing more, acks what becomes durable, ends the call with `status`.
  void Drain(const absl::Status& status);

 private:
  static constexpr size_t kMinSortedLanes = 64;
  enum class Phase { kAwaitingOpen, kOpening, kOpen, kEnding };

  // The loop calls back one of these when its operation is through.
  void OnAccepted(bool ok);
  void OnRead(bool ok);
  void OnWritten(bool ok);
  void OnFinished(bool ok);
  void OnCallDone(bool ok);
  template <void (IngestSession::*handler)(bool)>
  CqTag MakeTag();

  // Starts whatever can be started now; the last step of every event. May
  // delete this session.
  void Advance();
  bool MayRead();
  // Puts the next answer into outgoing_; false when there is none.
  bool NextReply();
  void HandleMessage();
  void HandleBatch(storage::BatchBody body);
  void HandleOther();
  void HandleOpen(const v1::Open& open);
  void HandleSchema(const v1::Schema& schema);
  void HandleOpened(
      absl::StatusOr<std::unique_ptr<storage::StreamSession>> opened);
  void Reject(const absl::Status& status, uint32_t schema_id = 0,
              uint64_t first_row = 0, uint32_t rows = 0);
  void End(absl::Status status, bool when_durable);
  // Ends the call though a write is under way that never comes back.
  void Abort(const absl::Status& status);

  IngestLoop* const loop_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer> call_;
  grpc::ByteBuffer incoming_;
  grpc::ByteBuffer outgoing_;

  Phase phase_ = Phase::kAwaitingOpen;
  absl::Status ending_status_;
  bool end_when_durable_ = false;

  // Operations under way; the session may go when there are none.
  bool reading_ = false;
  bool writing_ = false;
  bool finishing_ = false;
  bool call_open_ = false;  // OnCallDone is still to come
  bool finished_ = false;

  bool entered_ = false;  // counts among the open streams
  // The look (IngestLoop::looks) since which the client has been waited for:
  // for its Open, to read an answer, or for its credit.
  uint32_t accepted_at_ = 0;
  uint32_t writing_since_ = 0;
  uint32_t exhausted_since_ = 0;
  bool exhausted_ = false;
  bool probing_ = false;

  CqTag accepted_tag_;
  CqTag read_tag_;
  CqTag written_tag_;
  CqTag finished_tag_;
  CqTag done_tag_;

  std::shared_ptr<SessionObserver> observer_;
  std::unique_ptr<storage::StreamSession> session_;
  StreamCredit credit_;

  // Answers that wait for the write before them.
  bool opened_to_send_ = false;
  std::deque<v1::Rejected> rejections_;
  MovedLanes moved_;
  size_t sort_moved_at_ = kMinSortedLanes;
  storage::Position position_;
};

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_INGEST_SESSION_H_
