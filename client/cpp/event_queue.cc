#include "client/cpp/event_queue.h"

#include "grpc/support/time.h"

namespace waterflow::client {

EventQueue::~EventQueue() {
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

void EventQueue::Notify() {
  std::lock_guard<std::mutex> lock(mu_);
  if (alarm_is_set_) return;
  alarm_is_set_ = true;
  alarm_.Set(&queue_, gpr_inf_past(GPR_CLOCK_MONOTONIC), nullptr);
}

void EventQueue::WaitUntil(Clock::time_point until) {
  const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(
      until - std::min(until, Clock::now()));
  const gpr_timespec deadline =
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                   gpr_time_from_nanos(left.count(), GPR_TIMESPAN));
  void* tag = nullptr;
  bool ok = false;
  if (queue_.AsyncNext(&tag, &ok, deadline) !=
      grpc::CompletionQueue::GOT_EVENT) {
    return;
  }
  if (tag == nullptr) {
    std::lock_guard<std::mutex> lock(mu_);
    alarm_is_set_ = false;
    return;
  }
  static_cast<EventHandler*>(tag)->Happened(ok);
}

}  // namespace waterflow::client
