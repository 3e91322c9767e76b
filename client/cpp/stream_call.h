// One call of Ingest.Stream, driven by the thread that polls its queue.
#ifndef WATERFLOW_CLIENT_CPP_STREAM_CALL_H_
#define WATERFLOW_CLIENT_CPP_STREAM_CALL_H_

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "client/cpp/event_queue.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/async_stream.h"
#include "waterflow/v1/ingest.grpc.pb.h"

namespace waterflow::client {

// Not thread-safe: everything happens on the polling thread.
class StreamCall {
 public:
  // Begins the call.
  StreamCall(v1::Ingest::Stub* stub, EventQueue* events);
  // Only when done().
  ~StreamCall() = default;
  StreamCall(const StreamCall&) = delete;
  StreamCall& operator=(const StreamCall&) = delete;

  // Whether Write may be called: the last message is out and the call stands.
  bool writable() const { return !outgoing_ && !broken_; }
  // Does nothing when the call broke meanwhile: the end will follow.
  void Write(v1::StreamRequest message);
  // Half-closes behind the message: no Write may follow.
  void WriteLast(v1::StreamRequest message);
  // Ends the call soon, whatever the network does.
  void Cancel() { context_.TryCancel(); }

  // What came since the last time.
  std::vector<v1::StreamResponse> TakeResponses();
  // Nothing is under way any more; `status` says how it ended.
  bool done() const { return done_; }
  const absl::Status& status() const { return status_; }

 private:
  // An operation and what follows on it.
  class Operation final : public EventHandler {
   public:
    using Method = void (StreamCall::*)(bool);
    Operation(StreamCall* call, Method method) : call_(call), method_(method) {}
    void Happened(bool ok) override { (call_->*method_)(ok); }

   private:
    StreamCall* const call_;
    const Method method_;
  };

  void Started(bool ok);
  void Read(bool ok);
  void Written(bool ok);
  void Finished(bool ok);
  void Send();
  void FinishWhenQuiet();

  grpc::ClientContext context_;
  Operation start_{this, &StreamCall::Started};
  Operation read_{this, &StreamCall::Read};
  Operation write_{this, &StreamCall::Written};
  Operation finish_{this, &StreamCall::Finished};
  std::unique_ptr<
      grpc::ClientAsyncReaderWriter<v1::StreamRequest, v1::StreamResponse>>
      stream_;
  v1::StreamResponse incoming_;
  std::optional<v1::StreamRequest> outgoing_;  // until it is written
  bool last_ = false;                          // outgoing_ is the last one
  bool started_ = false;
  bool broken_ = false;     // writes lead nowhere
  bool read_over_ = false;  // no read is under way or will be
  bool done_ = false;
  std::vector<v1::StreamResponse> responses_;
  grpc::Status grpc_status_;
  absl::Status status_;
};

}  // namespace waterflow::client

#endif  // WATERFLOW_CLIENT_CPP_STREAM_CALL_H_
