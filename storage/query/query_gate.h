// How many queries are at work at a time. Those that look at many rows take
// turns among themselves, so that they neither keep every core busy nor make
// a dashboard's small questions wait behind them.
#ifndef WATERFLOW_STORAGE_QUERY_QUERY_GATE_H_
#define WATERFLOW_STORAGE_QUERY_QUERY_GATE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "storage/model/mutex.h"

namespace waterflow::storage {

// A metric of more rows than this is heavy.
inline constexpr uint64_t kHeavyQueryRows = 4 << 20;

// Thread-safe.
class QueryGate {
 public:
  // So many light and heavy ones at a time; at least 1 each.
  QueryGate(uint32_t light, uint32_t heavy) {
    kinds_[0].free = light;
    kinds_[1].free = heavy;
  }

  // A place at the gate, taken and given back any number of times. First come,
  // first served: who gives it back and wants it again waits behind the others.
  class Turn {
   public:
    // `cancelled` is asked while it waits; null: never. Both must outlive it.
    Turn(QueryGate* gate, uint64_t rows, const std::function<bool()>& cancelled)
        : gate_(gate), heavy_(rows > kHeavyQueryRows), cancelled_(cancelled) {}
    ~Turn() { GiveBack(); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    // CANCELLED when it was given up.
    absl::Status Take();
    void GiveBack();

   private:
    QueryGate* const gate_;
    const bool heavy_;
    const std::function<bool()>& cancelled_;
    bool taken_ = false;
  };

 private:
  struct Kind {
    uint32_t free = 1;
    std::deque<const Turn*> waiting;
  };

  Mutex mutex_;
  CondVar changed_;
  std::array<Kind, 2> kinds_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_QUERY_GATE_H_
