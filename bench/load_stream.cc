#include "bench/load_stream.h"

#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>
#include <time.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace waterflow::bench {
namespace {

// Below this, small messages of a flood share one write to the socket, as they
// do when a client has more to send than the network takes at once.
constexpr size_t kFlushBytes = 32 << 10;
// What gRPC puts before each message.
constexpr size_t kMessageHeader = 5;

grpc::ByteBuffer Serialize(const v1::StreamRequest& request) {
  const std::string bytes = request.SerializeAsString();
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

// Names the worker. Without a number of the caller's it is another each time,
// so that a run may be loaded again.
std::string StreamId(uint64_t number, const std::string& run_id,
                     uint32_t rank) {
  if (number == 0) number = static_cast<uint64_t>(MonotonicNs());
  std::string id(16, '\0');
  for (int i = 0; i < 8; ++i) id[i] = static_cast<char>(number >> (8 * i));
  for (int i = 0; i < 4; ++i) id[8 + i] = static_cast<char>(rank >> (8 * i));
  for (int i = 0; i < 4; ++i) id[12 + i] = run_id[i];
  return id;
}

}  // namespace

int64_t MonotonicNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void LoadCounts::Add(const LoadCounts& other) {
  samples += other.samples;
  batches += other.batches;
  acks += other.acks;
  message_bytes += other.message_bytes;
  ack_ns.Merge(other.ack_ns);
  late_ns.Merge(other.late_ns);
}

LoadStream::LoadStream(const std::vector<WorkerLoad>& workers, size_t worker,
                       bool repeat, Pace pace, size_t max_in_flight_bytes,
                       uint64_t ids, std::shared_ptr<grpc::Channel> channel,
                       grpc::CompletionQueue* queue, LoadCounts* counts)
    : cursor_(workers, worker, repeat),
      pace_(pace),
      max_in_flight_bytes_(max_in_flight_bytes),
      queue_(queue),
      counts_(counts),
      stub_(std::move(channel)),
      tags_{{this, Step::kStarted},
            {this, Step::kWritten},
            {this, Step::kRead},
            {this, Step::kFinished}} {
  const WorkerLoad& load = workers[worker];
  v1::Open& open = *setup_.emplace_back().mutable_open();
  open.set_run_id(load.run_id);
  open.mutable_worker()->set_rank(load.rank);
  open.set_stream_id(StreamId(ids, load.run_id, load.rank));
  open.set_world_size(load.world_size);
  for (size_t id = 0; id < load.schemas.size(); ++id) {
    v1::Schema& schema = *setup_.emplace_back().mutable_schema();
    schema.set_id(static_cast<uint32_t>(id));
    for (const std::string& name : load.schemas[id]) {
      schema.add_metrics()->set_name(name);
    }
  }
  in_flight_.resize(load.schemas.size());
}

void LoadStream::Start() {
  started_ns_ = MonotonicNs();
  call_ = stub_.PrepareCall(&context_, "/waterflow.v1.Ingest/Stream", queue_);
  call_->StartCall(&tags_[0]);
}

void LoadStream::Proceed(Step step, bool ok) {
  switch (step) {
    case Step::kStarted:
      writing_ = false;
      if (ok) WriteNext();
      // Also when it failed: the read ends at once and Finish says why.
      call_->Read(&read_, &tags_[2]);
      break;
    case Step::kWritten:
      writing_ = false;
      // A broken call is told by the read.
      if (ok) WriteNext();
      break;
    case Step::kRead:
      if (!ok) {
        call_->Finish(&call_status_, &tags_[3]);
        break;
      }
      TakeResponse();
      call_->Read(&read_, &tags_[2]);
      WriteNext();
      break;
    case Step::kFinished:
      finished_ = true;
      if (!call_status_.ok()) {
        Fail(absl::Status(
            static_cast<absl::StatusCode>(call_status_.error_code()),
            call_status_.error_message()));
      } else if (!closed_ || in_flight_bytes_ > 0) {
        Fail(absl::InternalError("the server ended a stream too early"));
      }
      break;
  }
}

void LoadStream::Due(int64_t intended_ns) {
  due_.push_back(intended_ns);
  WriteNext();
}

void LoadStream::Drain() {
  draining_ = true;
  WriteNext();
}

// At most one write is on its way; this starts the next one that may go.
void LoadStream::WriteNext() {
  if (writing_ || closed_) return;
  if (!setup_.empty()) {
    writing_ = true;
    call_->Write(Serialize(setup_.front()), &tags_[1]);
    setup_.pop_front();
    return;
  }
  if (draining_) {
    v1::StreamRequest close;
    close.mutable_close();
    writing_ = true;
    closed_ = true;
    call_->WriteLast(Serialize(close), grpc::WriteOptions(), &tags_[1]);
    return;
  }
  const EncodedBatch* batch = cursor_.Peek();
  if (!opened_ || batch == nullptr) return;
  if (pace_ == Pace::kOnDemand && due_.empty()) return;
  // One batch is always allowed, or one larger than the credit would wait for
  // ever.
  if (in_flight_bytes_ > 0 && !FitsCredit(*batch)) return;
  int64_t since = MonotonicNs();
  if (pace_ == Pace::kOnDemand) {
    since = due_.front();
    due_.pop_front();
  }
  WriteBatch(*batch, since);
}

bool LoadStream::FitsCredit(const EncodedBatch& batch) const {
  return in_flight_bytes_ + BatchSize(batch, cursor_.shift()) <= credit_bytes_;
}

void LoadStream::WriteBatch(const EncodedBatch& batch, int64_t since_ns) {
  const Shift shift = cursor_.shift();
  head_.clear();
  AppendBatchHead(batch, shift, head_);
  const size_t size = BatchSize(batch, shift);
  const size_t message = head_.size() + batch.columns.size() + kMessageHeader;
  in_flight_[batch.schema_id].push_back(
      {.end_row = batch.first_row + shift.row + batch.rows,
       .samples = batch.values,
       .batch_bytes = size,
       .message_bytes = message,
       .since_ns = since_ns});
  in_flight_bytes_ += size;
  cursor_.Advance();

  // Hold it back only when another batch will follow by itself.
  grpc::WriteOptions options;
  const EncodedBatch* next = cursor_.Peek();
  unflushed_bytes_ += message;
  if (pace_ == Pace::kFlood && unflushed_bytes_ < kFlushBytes &&
      next != nullptr && FitsCredit(*next)) {
    options.set_buffer_hint();
  } else {
    unflushed_bytes_ = 0;
  }
  const grpc::Slice slices[] = {
      grpc::Slice(head_),
      grpc::Slice(batch.columns.data(), batch.columns.size(),
                  grpc::Slice::STATIC_SLICE)};
  writing_ = true;
  call_->Write(grpc::ByteBuffer(slices, 2), options, &tags_[1]);
}

void LoadStream::TakeResponse() {
  const grpc::Status parsed =
      grpc::SerializationTraits<v1::StreamResponse>::Deserialize(&read_,
                                                                 &response_);
  if (!parsed.ok()) {
    Fail(absl::InternalError("a response that is no StreamResponse"));
  } else if (response_.has_opened()) {
    opened_ = true;
    open_ns_ = static_cast<uint64_t>(MonotonicNs() - started_ns_);
    credit_bytes_ = std::min<size_t>(response_.opened().credit_bytes(),
                                     max_in_flight_bytes_);
  } else if (response_.has_ack()) {
    TakeAck(response_.ack());
  } else if (response_.has_rejected()) {
    Fail(absl::InternalError(
        absl::StrCat("rejected: ", response_.rejected().message())));
  }
}

void LoadStream::TakeAck(const v1::Ack& ack) {
  const int64_t now = MonotonicNs();
  ++counts_->acks;
  credit_bytes_ = std::min<size_t>(ack.credit_bytes(), max_in_flight_bytes_);
  for (const v1::Lane& lane : ack.lanes()) {
    if (lane.schema_id() >= in_flight_.size()) {
      return Fail(absl::InternalError(
          absl::StrCat("ack of an unknown lane ", lane.schema_id())));
    }
    std::deque<InFlight>& batches = in_flight_[lane.schema_id()];
    while (!batches.empty() && batches.front().end_row <= lane.next_row()) {
      const InFlight& batch = batches.front();
      ++counts_->batches;
      counts_->samples += batch.samples;
      counts_->message_bytes += batch.message_bytes;
      counts_->ack_ns.Add(static_cast<uint64_t>(now - batch.since_ns));
      in_flight_bytes_ -= batch.batch_bytes;
      batches.pop_front();
    }
  }
}

void LoadStream::Fail(absl::Status status) {
  if (status_.ok()) status_ = std::move(status);
  context_.TryCancel();
}

}  // namespace waterflow::bench
