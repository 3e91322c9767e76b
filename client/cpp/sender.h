// The background thread of a RunWriter: keeps a session with the server, sends
// what is due, hears the answers, and begins again when the session breaks.
//
//   waiting --retry time--> opening --Opened--> open --Finish--> closing
//      ^                       |                  |
//      +------ the call ended, in a way that may heal; else: over
#ifndef WATERFLOW_CLIENT_CPP_SENDER_H_
#define WATERFLOW_CLIENT_CPP_SENDER_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/cpp/backoff.h"
#include "client/cpp/clock.h"
#include "client/cpp/credit.h"
#include "client/cpp/event_queue.h"
#include "client/cpp/row_buffer.h"
#include "client/cpp/run_writer_options.h"
#include "client/cpp/stream_call.h"
#include "grpcpp/channel.h"
#include "waterflow/v1/ingest.grpc.pb.h"

namespace waterflow::client {

class Sender {
 public:
  Sender(std::shared_ptr<grpc::Channel> channel, v1::Open open,
         RunWriterOptions options, std::shared_ptr<RowBuffer> buffer,
         std::shared_ptr<EventQueue> events);
  // Cancels what is under way and joins.
  ~Sender();
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  // Starts the thread; UNAVAILABLE when the system has none left.
  absl::Status Start();
  // Everything was answered: says Close to the server, waits up to `timeout`
  // for the end of the call, and joins.
  void Finish(absl::Duration timeout);
  // Thread-safe.
  SenderCounts counts() const;
  std::vector<Rejection> rejections() const;
  std::string token() const;

 private:
  enum class State { kWaiting, kOpening, kOpen, kClosing, kOver };
  enum class Order { kGoOn, kFinish, kStop };

  void Loop();
  // Does all that can be done now; returns when to look again.
  Clock::time_point Step();
  void Connect();
  void Handle(const v1::StreamResponse& response);
  void HandleOpened(const v1::Opened& opened);
  void HandleAck(const v1::Ack& ack);
  void HandleRejected(const v1::Rejected& rejected);
  void HandleEnd(const absl::Status& status);
  // Sends at most one message; lowers `next` when more becomes due later.
  void Send(Clock::time_point* next);
  bool SendRows(Clock::time_point* next);
  void BeginClose();
  void EndOver(absl::Status status);
  void StopCall();
  Order order() const;
  void Give(Order order, Clock::time_point deadline);

  const std::unique_ptr<v1::Ingest::Stub> stub_;
  const v1::Open open_;
  const RunWriterOptions options_;
  const std::shared_ptr<RowBuffer> buffer_;
  const std::shared_ptr<EventQueue> events_;
  std::thread thread_;

  // ---- of the sender thread alone ----
  State state_ = State::kWaiting;
  std::unique_ptr<StreamCall> call_;
  Backoff backoff_;
  Clock::time_point due_{};  // retry, open or close deadline, by state
  Clock::time_point session_began_{};
  Clock::time_point last_write_{};
  Credit credit_;
  uint64_t message_bytes_ = 0;  // the server's limits
  uint32_t batch_rows_ = 0;
  std::unordered_set<uint32_t> declared_;  // schemas, in this session
  std::optional<Piece> piece_;             // taken, waits behind its schema

  mutable std::mutex mu_;
  Order order_ ABSL_GUARDED_BY(mu_) = Order::kGoOn;
  Clock::time_point order_deadline_ ABSL_GUARDED_BY(mu_);
  SenderCounts counts_ ABSL_GUARDED_BY(mu_);
  std::vector<Rejection> rejections_ ABSL_GUARDED_BY(mu_);
  std::string token_ ABSL_GUARDED_BY(mu_);
};

}  // namespace waterflow::client

#endif  // WATERFLOW_CLIENT_CPP_SENDER_H_
