#include "client/cpp/stream_call.h"

#include <utility>

#include "client/cpp/status.h"

namespace waterflow::client {

StreamCall::StreamCall(std::shared_ptr<Wakeup> wakeup)
    : wakeup_(std::move(wakeup)) {}

std::unique_ptr<StreamCall> StreamCall::Start(v1::Ingest::Stub* stub,
                                              std::shared_ptr<Wakeup> wakeup) {
  std::unique_ptr<StreamCall> call(new StreamCall(std::move(wakeup)));
  stub->async()->Stream(&call->context_, call.get());
  // The sender writes from outside the reactor's own methods.
  call->AddHold();
  call->StartRead(&call->incoming_);
  call->StartCall();
  return call;
}

bool StreamCall::writable() const {
  std::lock_guard<std::mutex> lock(mu_);
  return !writing_ && !broken_ && !events_.done;
}

void StreamCall::Start(v1::StreamRequest message, bool last) {
  // Under the lock, so that OnReadDone cannot let go of the call in between;
  // gRPC never calls back from within these.
  std::lock_guard<std::mutex> lock(mu_);
  if (broken_ || writing_) return;
  writing_ = true;
  outgoing_ = std::move(message);
  if (last) {
    broken_ = true;
    StartWriteLast(&outgoing_, grpc::WriteOptions());
  } else {
    StartWrite(&outgoing_);
  }
}

void StreamCall::Cancel() { context_.TryCancel(); }

StreamCall::Events StreamCall::TakeEvents() {
  std::lock_guard<std::mutex> lock(mu_);
  Events taken = std::move(events_);
  events_ = Events();
  events_.done = taken.done;
  return taken;
}

void StreamCall::OnReadDone(bool ok) {
  if (ok) {
    {
      std::lock_guard<std::mutex> lock(mu_);
      events_.responses.push_back(std::move(incoming_));
    }
    incoming_ = v1::StreamResponse();
    StartRead(&incoming_);
  } else {
    {
      std::lock_guard<std::mutex> lock(mu_);
      broken_ = true;
    }
    // Nothing more will come, so nothing more is written: gRPC may report the
    // end of the call.
    RemoveHold();
  }
  wakeup_->Notify();
}

void StreamCall::OnWriteDone(bool ok) {
  {
    std::lock_guard<std::mutex> lock(mu_);
    writing_ = false;
    if (!ok) broken_ = true;
  }
  wakeup_->Notify();
}

void StreamCall::OnDone(const grpc::Status& status) {
  // The owner may destroy this as soon as the lock is free.
  const std::shared_ptr<Wakeup> wakeup = wakeup_;
  {
    std::lock_guard<std::mutex> lock(mu_);
    events_.done = true;
    events_.status = FromGrpc(status);
  }
  wakeup->Notify();
}

}  // namespace waterflow::client
