// A thread that does something every so often, until it is stopped.
#ifndef WATERFLOW_STORAGE_KEEP_PERIODIC_H_
#define WATERFLOW_STORAGE_KEEP_PERIODIC_H_

#include <functional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "storage/model/mutex.h"

namespace waterflow::storage {

class Periodic {
 public:
  ~Periodic() { Stop(); }

  void Start(absl::Duration interval, std::function<void()> work) {
    thread_ = std::thread([this, interval, work = std::move(work)] {
      while (Sleep(interval)) work();
    });
  }
  // Waits for work that runs now.
  void Stop() {
    {
      MutexLock lock(&mutex_);
      stopping_ = true;
      wake_.NotifyAll();
    }
    if (thread_.joinable()) thread_.join();
  }

 private:
  // False: stopped.
  bool Sleep(absl::Duration interval) {
    MutexLock lock(&mutex_);
    while (!stopping_) {
      if (!wake_.WaitFor(&mutex_, interval)) break;
    }
    return !stopping_;
  }

  Mutex mutex_;
  CondVar wake_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_KEEP_PERIODIC_H_
