#include "storage/query/query_gate.h"

#include <algorithm>

namespace waterflow::storage {
namespace {

// How often one that waits looks whether it was given up.
constexpr absl::Duration kLook = absl::Milliseconds(20);

}  // namespace

absl::Status QueryGate::Turn::Take() {
  MutexLock lock(&gate_->mutex_);
  Kind& kind = gate_->kinds_[heavy_ ? 1 : 0];
  kind.waiting.push_back(this);
  absl::Status status;
  while (kind.free == 0 || kind.waiting.front() != this) {
    gate_->changed_.WaitFor(&gate_->mutex_, kLook);
    if (cancelled_ && cancelled_()) {
      status = absl::CancelledError("the client left");
      break;
    }
  }
  kind.waiting.erase(std::find(kind.waiting.begin(), kind.waiting.end(), this));
  if (status.ok()) {
    --kind.free;
    taken_ = true;
  }
  gate_->changed_.NotifyAll();
  return status;
}

void QueryGate::Turn::GiveBack() {
  if (!taken_) return;
  MutexLock lock(&gate_->mutex_);
  ++gate_->kinds_[heavy_ ? 1 : 0].free;
  taken_ = false;
  gate_->changed_.NotifyAll();
}

}  // namespace waterflow::storage
