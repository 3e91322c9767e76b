// One call of Ingest.Stream. gRPC's threads move the messages; what happened is
// collected here and picked up by the sender thread, which alone decides.
#ifndef WATERFLOW_CLIENT_CPP_STREAM_CALL_H_
#define WATERFLOW_CLIENT_CPP_STREAM_CALL_H_

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "client/cpp/wakeup.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/client_callback.h"
#include "waterflow/v1/ingest.grpc.pb.h"

namespace waterflow::client {

class StreamCall final
    : public grpc::ClientBidiReactor<v1::StreamRequest, v1::StreamResponse> {
 public:
  struct Events {
    std::vector<v1::StreamResponse> responses;
    bool done = false;
    absl::Status status;  // how the call ended, when done
  };

  // Begins the call. `wakeup` is notified whenever there is news. It may be
  // destroyed only once TakeEvents has said `done`, and so it is destroyed on
  // the owner's thread: it may hold the channel's last reference, and a channel
  // that goes away waits for gRPC's own threads.
  static std::unique_ptr<StreamCall> Start(v1::Ingest::Stub* stub,
                                           std::shared_ptr<Wakeup> wakeup);

  // Whether Write may be called: the last message is out and the call stands.
  bool writable() const;
  // Does nothing when the call broke meanwhile: `done` will follow.
  void Write(v1::StreamRequest message) { Start(std::move(message), false); }
  // Half-closes behind the message: no Write may follow.
  void WriteLast(v1::StreamRequest message) { Start(std::move(message), true); }
  // Ends the call; `done` follows soon.
  void Cancel();
  // What happened since the last time.
  Events TakeEvents();

 private:
  explicit StreamCall(std::shared_ptr<Wakeup> wakeup);

  void Start(v1::StreamRequest message, bool last);
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  const std::shared_ptr<Wakeup> wakeup_;
  grpc::ClientContext context_;
  v1::StreamResponse incoming_;  // gRPC's, between StartRead and OnReadDone
  v1::StreamRequest outgoing_;   // gRPC's, between StartWrite and OnWriteDone
  mutable std::mutex mu_;
  Events events_ ABSL_GUARDED_BY(mu_);
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool broken_ ABSL_GUARDED_BY(mu_) = false;  // writes lead nowhere
};

}  // namespace waterflow::client

#endif  // WATERFLOW_CLIENT_CPP_STREAM_CALL_H_
