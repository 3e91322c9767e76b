// The one thing that the sender thread sleeps on: what gRPC has done for it,
// and that somebody called.
//
// A completion queue that only this thread polls: a call's events are handled
// where they are read, with no lock and no hop to another thread.
#ifndef WATERFLOW_CLIENT_CPP_EVENT_QUEUE_H_
#define WATERFLOW_CLIENT_CPP_EVENT_QUEUE_H_

#include <atomic>
#include <mutex>

#include "absl/base/thread_annotations.h"
#include "client/cpp/clock.h"
#include "grpcpp/alarm.h"
#include "grpcpp/completion_queue.h"

namespace waterflow::client {

// Tag of an operation in the queue.
class EventHandler {
 public:
  virtual ~EventHandler() = default;
  // On the polling thread: the operation is over; `ok` as gRPC means it.
  virtual void Happened(bool ok) = 0;
};

class EventQueue {
 public:
  EventQueue() = default;
  // No operation may be under way, and Notify no longer be called.
  ~EventQueue();
  EventQueue(const EventQueue&) = delete;
  EventQueue& operator=(const EventQueue&) = delete;

  // Thread-safe: ends the current wait, or the next one.
  void Notify();

  // ---- of the polling thread ----

  // Returns after something happened, at `until` at the latest.
  void WaitUntil(Clock::time_point until);
  grpc::CompletionQueue* queue() { return &queue_; }

 private:
  grpc::CompletionQueue queue_;
  std::mutex mu_;
  // Its tag is null.
  grpc::Alarm alarm_ ABSL_GUARDED_BY(mu_);
  bool alarm_is_set_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace waterflow::client

#endif  // WATERFLOW_CLIENT_CPP_EVENT_QUEUE_H_
