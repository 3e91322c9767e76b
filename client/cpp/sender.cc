#include "client/cpp/sender.h"

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cpp/batch_encoder.h"

namespace waterflow::client {
namespace {

constexpr size_t kMostRejections = 1000;

// Whether a new session could do better. The others say that the run, the Open
// or the stream itself is no good.
bool MayHeal(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return false;
    default:
      return true;
  }
}

}  // namespace

Sender::Sender(std::shared_ptr<grpc::Channel> channel, v1::Open open,
               RunWriterOptions options, std::shared_ptr<RowBuffer> buffer,
               std::shared_ptr<EventQueue> events)
    : stub_(v1::Ingest::NewStub(std::move(channel))),
      open_(std::move(open)),
      options_(std::move(options)),
      buffer_(std::move(buffer)),
      events_(std::move(events)),
      backoff_(options_.backoff_first, options_.backoff_most,
               std::hash<std::string>()(open_.stream_id())) {}

Sender::~Sender() {
  Give(Order::kStop, Clock::time_point());
  if (thread_.joinable()) thread_.join();
}

absl::Status Sender::Start() {
  try {
    thread_ = std::thread([this] { Loop(); });
  } catch (const std::system_error& e) {
    return absl::UnavailableError(absl::StrCat("no thread: ", e.what()));
  }
  return absl::OkStatus();
}

void Sender::Finish(absl::Duration timeout) {
  Give(Order::kFinish, Clock::now() + ToChrono(timeout));
  if (thread_.joinable()) thread_.join();
}

void Sender::Give(Order order, Clock::time_point deadline) {
  {
    std::lock_guard<std::mutex> lock(mu_);
    order_ = order;
    order_deadline_ = deadline;
  }
  events_->Notify();
}

Sender::Order Sender::order() const {
  std::lock_guard<std::mutex> lock(mu_);
  return order_;
}

SenderCounts Sender::counts() const {
  std::lock_guard<std::mutex> lock(mu_);
  return counts_;
}

std::vector<Rejection> Sender::rejections() const {
  std::lock_guard<std::mutex> lock(mu_);
  return rejections_;
}

std::string Sender::token() const {
  std::lock_guard<std::mutex> lock(mu_);
  return token_;
}

void Sender::Loop() {
  try {
    while (state_ != State::kOver && order() != Order::kStop) {
      events_->WaitUntil(Step());
    }
  } catch (const std::exception& e) {
    EndOver(absl::InternalError(absl::StrCat("the sender failed: ", e.what())));
  }
  buffer_->Fail(absl::CancelledError("the writer is closed"));
  StopCall();
}

Clock::time_point Sender::Step() {
  if (call_ != nullptr) {
    for (const auto& response : call_->TakeResponses()) Handle(response);
    if (call_->done()) HandleEnd(call_->status());
  }
  const Clock::time_point now = Clock::now();
  Clock::time_point next = now + std::chrono::hours(1);
  if (order() == Order::kFinish && state_ != State::kClosing) BeginClose();
  switch (state_) {
    case State::kWaiting:
      if (now >= due_) Connect();
      return state_ == State::kWaiting ? due_ : next;
    case State::kOpening:
      if (now >= due_) call_->Cancel();
      return now >= due_ ? next : due_;
    case State::kOpen:
      if (call_->writable()) Send(&next);
      return next;
    case State::kClosing:
      if (now >= due_) state_ = State::kOver;
      return due_;
    case State::kOver:
      return now;
  }
  return next;
}

void Sender::Connect() {
  call_ = std::make_unique<StreamCall>(stub_.get(), events_.get());
  declared_.clear();
  piece_.reset();
  credit_ = Credit();
  v1::StreamRequest request;
  v1::Open* open = request.mutable_open();
  *open = open_;
  open->set_client_time_ns(absl::ToUnixNanos(absl::Now()));
  for (v1::Lane& lane : buffer_->Held()) *open->add_held() = std::move(lane);
  call_->Write(std::move(request));
  state_ = State::kOpening;
  session_began_ = Clock::now();
  due_ = session_began_ + ToChrono(options_.open_timeout);
}

void Sender::Handle(const v1::StreamResponse& response) {
  switch (response.message_case()) {
    case v1::StreamResponse::kOpened:
      HandleOpened(response.opened());
      break;
    case v1::StreamResponse::kAck:
      HandleAck(response.ack());
      break;
    case v1::StreamResponse::kRejected:
      HandleRejected(response.rejected());
      break;
    default:
      break;  // of a newer server
  }
}

void Sender::HandleOpened(const v1::Opened& opened) {
  if (state_ != State::kOpening) return;
  buffer_->Opened({opened.lanes().begin(), opened.lanes().end()});
  credit_.SetLimit(opened.credit_bytes());
  // A server that names no limits has the ones of version 1.
  const v1::Limits& limits = opened.limits();
  message_bytes_ =
      limits.message_bytes() > 0 ? limits.message_bytes() : 16u << 20;
  batch_rows_ = limits.batch_rows() > 0 ? limits.batch_rows() : 65536;
  state_ = State::kOpen;
  last_write_ = Clock::now();
  std::lock_guard<std::mutex> lock(mu_);
  ++counts_.sessions_opened;
}

void Sender::HandleAck(const v1::Ack& ack) {
  backoff_.Reset();
  for (const v1::Lane& lane : ack.lanes()) {
    credit_.Answered(lane.schema_id(),
                     buffer_->Acked(lane.schema_id(), lane.next_row()));
  }
  credit_.SetLimit(ack.credit_bytes());
  std::lock_guard<std::mutex> lock(mu_);
  if (!ack.token().empty()) token_ = ack.token();
}

void Sender::HandleRejected(const v1::Rejected& rejected) {
  Rejection rejection{
      rejected.schema_id(), rejected.first_row(), rejected.rows(),
      absl::Status(static_cast<absl::StatusCode>(rejected.code()),
                   rejected.message())};
  if (rejection.rows > 0) {
    credit_.Answered(rejection.schema,
                     buffer_->Rejected(rejection.schema, rejection.first_row,
                                       rejection.rows));
  } else if (rejection.status.code() == absl::StatusCode::kOutOfRange) {
    // The server missed rows: a new session finds out which it has.
    call_->Cancel();
  } else {
    buffer_->RejectedLane(rejection.schema, rejection.status);
    credit_.Answered(rejection.schema, ~uint64_t{0});
    if (piece_.has_value() && piece_->schema == rejection.schema)
      piece_.reset();
  }
  if (options_.on_rejected) {
    try {
      options_.on_rejected(rejection);
    } catch (...) {  // NOLINT: whatever it throws must not end the writer
    }
  }
  std::lock_guard<std::mutex> lock(mu_);
  if (rejections_.size() < kMostRejections) {
    rejections_.push_back(std::move(rejection));
  }
}

void Sender::HandleEnd(const absl::Status& ended_with) {
  const absl::Status status = ended_with;
  call_.reset();
  if (state_ == State::kClosing) {
    state_ = State::kOver;
    return;
  }
  if (!MayHeal(status)) {
    EndOver(status);
    return;
  }
  const Clock::time_point now = Clock::now();
  if (now - session_began_ > ToChrono(options_.backoff_most)) backoff_.Reset();
  state_ = State::kWaiting;
  due_ = now + ToChrono(backoff_.Next());
}

void Sender::Send(Clock::time_point* next) {
  if (SendRows(next)) return;
  const Clock::time_point alive = last_write_ + ToChrono(options_.heartbeat);
  if (Clock::now() < alive) {
    *next = std::min(*next, alive);
    return;
  }
  v1::StreamRequest request;
  request.mutable_heartbeat()->set_client_time_ns(
      absl::ToUnixNanos(absl::Now()));
  call_->Write(std::move(request));
  last_write_ = Clock::now();
}

bool Sender::SendRows(Clock::time_point* next) {
  const uint64_t credit = credit_.Available();
  if (!piece_.has_value()) {
    if (credit == 0) return false;
    piece_ = buffer_->Take(batch_rows_, std::min(credit, message_bytes_),
                           credit_.idle(), Clock::now(), next);
    if (!piece_.has_value()) return false;
  }
  v1::StreamRequest request;
  if (declared_.insert(piece_->schema).second) {
    v1::Schema* schema = request.mutable_schema();
    schema->set_id(piece_->schema);
    for (v1::Metric& metric : buffer_->Metrics(piece_->schema)) {
      *schema->add_metrics() = std::move(metric);
    }
  } else {
    *request.mutable_batch() =
        EncodeBatch(*piece_->block, piece_->from, piece_->to, piece_->schema,
                    piece_->first_row);
    const uint64_t bytes = request.batch().ByteSizeLong();
    credit_.Sent(piece_->schema, piece_->end_row(), bytes);
    piece_.reset();
    std::lock_guard<std::mutex> lock(mu_);
    ++counts_.batches_sent;
    counts_.bytes_sent += bytes;
  }
  call_->Write(std::move(request));
  last_write_ = Clock::now();
  return true;
}

void Sender::BeginClose() {
  if (state_ != State::kOpen) {
    state_ = State::kOver;
    return;
  }
  // The last batch is answered, so its write is over; a heartbeat may be out.
  if (!call_->writable()) return;
  v1::StreamRequest request;
  request.mutable_close();
  call_->WriteLast(std::move(request));
  state_ = State::kClosing;
  std::lock_guard<std::mutex> lock(mu_);
  due_ = order_deadline_;
}

void Sender::EndOver(absl::Status status) {
  state_ = State::kOver;
  buffer_->Fail(std::move(status));
}

// A cancelled call ends at once, whatever the network does.
void Sender::StopCall() {
  if (call_ == nullptr) return;
  call_->Cancel();
  while (!call_->done()) {
    events_->WaitUntil(Clock::now() + std::chrono::seconds(1));
  }
  call_.reset();
}

}  // namespace waterflow::client
