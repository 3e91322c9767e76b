// The one thing that the sender thread sleeps on.
#ifndef WATERFLOW_CLIENT_CPP_WAKEUP_H_
#define WATERFLOW_CLIENT_CPP_WAKEUP_H_

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "absl/base/thread_annotations.h"

namespace waterflow::client {

// Times inside the library never go back.
using Clock = std::chrono::steady_clock;

// Thread-safe. A Notify that comes before Wait is not lost. Its lock is the
// innermost: Notify may be called with any other lock held.
class Wakeup {
 public:
  void Notify() {
    {
      std::lock_guard<std::mutex> lock(mu_);
      notified_ = true;
    }
    changed_.notify_one();
  }

  // Returns when notified, at `until` at the latest.
  void WaitUntil(Clock::time_point until) {
    std::unique_lock<std::mutex> lock(mu_);
    changed_.wait_until(lock, until, [this] { return notified_; });
    notified_ = false;
  }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  bool notified_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace waterflow::client

#endif  // WATERFLOW_CLIENT_CPP_WAKEUP_H_
