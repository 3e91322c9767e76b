#include "tests/e2e/many_streams.h"

#include <grpcpp/client_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <algorithm>
#include <cstring>
#include <deque>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/e2e/stream_client.h"

namespace waterflow::testing {
namespace {

constexpr char kMethod[] = "/waterflow.v1.Ingest/Stream";

grpc::ByteBuffer ToBytes(const v1::StreamRequest& request) {
  const std::string bytes = request.SerializeAsString();
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace

struct ManyStreams::Stream {
  size_t index = 0;
  Tag started{this, Step::kStarted};
  Tag written{this, Step::kWritten};
  Tag read{this, Step::kRead};
  Tag finished{this, Step::kFinished};
  grpc::ClientContext context;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call;
  grpc::ByteBuffer incoming;
  grpc::Status status;
  std::deque<grpc::ByteBuffer> to_write;
  bool writing = false;
  bool opened = false;
  bool ending = false;
  bool ended = false;
  uint64_t next_row = 0;  // to be sent
  // Batches by the row behind their last, and when they were sent.
  std::deque<std::pair<uint64_t, absl::Time>> unacked;
};

ManyStreams::ManyStreams(const ManyStreamsOptions& options)
    : options_(options) {
  for (size_t i = 0; i < options_.connections; ++i) {
    channels_.push_back(ConnectAlone(options_.address));
  }
  for (size_t i = 0; i < options_.streams; ++i) {
    streams_.push_back(std::make_unique<Stream>());
    streams_.back()->index = i;
  }
}

ManyStreams::~ManyStreams() {
  for (const auto& stream : streams_) {
    if (stream->call != nullptr && !stream->ended) stream->context.TryCancel();
  }
  const auto left = [this] {
    return std::any_of(streams_.begin(), streams_.end(), [](const auto& s) {
      return s->call != nullptr && !s->ended;
    });
  };
  while (left() && Turn(absl::Now() + absl::Seconds(10))) {
  }
  queue_.Shutdown();
  void* tag;
  bool ok;
  while (queue_.Next(&tag, &ok)) {
  }
}

size_t ManyStreams::OpenAll() {
  opening_ = streams_.size();
  for (const auto& stream : streams_) Start(*stream);
  while (opening_ > 0 && Turn(absl::Now() + absl::Seconds(60))) {
  }
  return open_;
}

void ManyStreams::Start(Stream& stream) {
  grpc::GenericStub stub(channels_[stream.index % channels_.size()]);
  stream.call = stub.PrepareCall(&stream.context, kMethod, &queue_);
  v1::StreamRequest request;
  v1::Open* open = request.mutable_open();
  open->set_run_id(options_.run_id);
  const auto rank = static_cast<uint32_t>(options_.first_rank + stream.index);
  open->mutable_worker()->set_rank(rank);
  std::string id(16, 's');
  std::memcpy(id.data(), &rank, sizeof(rank));
  open->set_stream_id(id);
  stream.to_write.push_back(ToBytes(request));
  v1::Schema* schema = request.mutable_schema();
  for (uint32_t m = 0; m < options_.metrics; ++m) {
    schema->add_metrics()->set_name(absl::StrCat("metric/", m));
  }
  stream.to_write.push_back(ToBytes(request));
  stream.writing = true;  // until the call has begun
  stream.call->StartCall(&stream.started);
}

void ManyStreams::Send(size_t index) {
  Stream& stream = *streams_[index];
  if (!stream.opened || stream.ending) return;
  v1::StreamRequest request;
  *request.mutable_batch() = DenseBatch(
      0, stream.next_row,
      std::vector(options_.metrics, std::vector<double>(options_.rows, 1.5)),
      static_cast<int64_t>(stream.next_row));
  stream.next_row += options_.rows;
  stream.unacked.emplace_back(stream.next_row, absl::Now());
  ++unacked_;
  stream.to_write.push_back(ToBytes(request));
  Write(stream);
}

void ManyStreams::SendAll() {
  for (size_t i = 0; i < streams_.size(); ++i) Send(i);
}

void ManyStreams::Write(Stream& stream) {
  if (stream.writing || stream.ending || stream.to_write.empty()) return;
  stream.writing = true;
  stream.call->Write(stream.to_write.front(), &stream.written);
  stream.to_write.pop_front();
}

bool ManyStreams::AwaitAcks(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (unacked_ > 0) {
    if (!Turn(deadline)) return false;
  }
  return true;
}

void ManyStreams::RunFor(absl::Duration duration) {
  const absl::Time deadline = absl::Now() + duration;
  while (Turn(deadline)) {
  }
}

bool ManyStreams::Turn(absl::Time deadline) {
  void* tag;
  bool ok;
  if (queue_.AsyncNext(&tag, &ok, absl::ToChronoTime(deadline)) !=
      grpc::CompletionQueue::GOT_EVENT) {
    return false;
  }
  Handle(*static_cast<Tag*>(tag), ok);
  return true;
}

void ManyStreams::Handle(const Tag& tag, bool ok) {
  Stream& stream = *tag.stream;
  switch (tag.step) {
    case Step::kStarted:
      stream.writing = false;
      stream.call->Read(&stream.incoming, &stream.read);
      Write(stream);
      return;
    case Step::kWritten:
      stream.writing = false;
      if (ok) Write(stream);
      return;
    case Step::kRead:
      if (ok) {
        HandleAnswer(stream);
        stream.call->Read(&stream.incoming, &stream.read);
        return;
      }
      stream.ending = true;
      stream.call->Finish(&stream.status, &stream.finished);
      return;
    case Step::kFinished:
      stream.ended = true;
      if (stream.opened) {
        --open_;
      } else {
        --opening_;
      }
      unacked_ -= stream.unacked.size();
      stream.unacked.clear();
      return;
  }
}

void ManyStreams::HandleAnswer(Stream& stream) {
  v1::StreamResponse answer;
  grpc::ProtoBufferReader reader(&stream.incoming);
  if (!answer.ParseFromZeroCopyStream(&reader)) return;
  if (answer.has_opened()) {
    stream.opened = true;
    --opening_;
    ++open_;
    for (const v1::Lane& lane : answer.opened().lanes()) {
      stream.next_row = lane.next_row();
    }
    return;
  }
  const absl::Time now = absl::Now();
  for (const v1::Lane& lane : answer.ack().lanes()) {
    while (!stream.unacked.empty() &&
           stream.unacked.front().first <= lane.next_row()) {
      latencies_.push_back(now - stream.unacked.front().second);
      stream.unacked.pop_front();
      --unacked_;
    }
  }
}

std::vector<absl::Duration> ManyStreams::TakeLatencies() {
  return std::exchange(latencies_, {});
}

std::vector<grpc::Status> ManyStreams::ended() const {
  std::vector<grpc::Status> all;
  for (const auto& stream : streams_) {
    if (stream->ended) all.push_back(stream->status);
  }
  return all;
}

absl::Duration Quantile(std::vector<absl::Duration> durations, double q) {
  if (durations.empty()) return absl::ZeroDuration();
  std::sort(durations.begin(), durations.end());
  return durations[std::min(
      durations.size() - 1,
      static_cast<size_t>(q * static_cast<double>(durations.size())))];
}

}  // namespace waterflow::testing
