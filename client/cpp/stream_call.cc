#include "client/cpp/stream_call.h"

#include <utility>

#include "client/cpp/status.h"

namespace waterflow::client {

StreamCall::StreamCall(v1::Ingest::Stub* stub, EventQueue* events)
    : stream_(stub->PrepareAsyncStream(&context_, events->queue())) {
  stream_->StartCall(&start_);
}

void StreamCall::Write(v1::StreamRequest message) {
  if (!writable()) return;
  outgoing_ = std::move(message);
  if (started_) Send();
}

void StreamCall::WriteLast(v1::StreamRequest message) {
  if (!writable()) return;
  last_ = true;
  Write(std::move(message));
  broken_ = true;
}

std::vector<v1::StreamResponse> StreamCall::TakeResponses() {
  return std::exchange(responses_, {});
}

void StreamCall::Send() {
  if (last_) {
    stream_->WriteLast(*outgoing_, grpc::WriteOptions(), &write_);
  } else {
    stream_->Write(*outgoing_, &write_);
  }
}

void StreamCall::Started(bool ok) {
  if (!ok) {
    broken_ = read_over_ = true;
    outgoing_.reset();
    FinishWhenQuiet();
    return;
  }
  started_ = true;
  stream_->Read(&incoming_, &read_);
  if (outgoing_) Send();
}

void StreamCall::Read(bool ok) {
  if (!ok) {
    broken_ = read_over_ = true;
    FinishWhenQuiet();
    return;
  }
  responses_.push_back(std::exchange(incoming_, {}));
  stream_->Read(&incoming_, &read_);
}

void StreamCall::Written(bool ok) {
  outgoing_.reset();
  if (!ok) broken_ = true;
  FinishWhenQuiet();
}

// The status is asked for when neither a read nor a write is under way.
void StreamCall::FinishWhenQuiet() {
  if (read_over_ && !outgoing_) stream_->Finish(&grpc_status_, &finish_);
}

void StreamCall::Finished(bool) {
  status_ = FromGrpc(grpc_status_);
  done_ = true;
}

}  // namespace waterflow::client
