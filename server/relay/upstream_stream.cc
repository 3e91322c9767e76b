#include "server/relay/upstream_stream.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/convert.h"
#include "storage/model/limits.h"

namespace waterflow::server {
namespace {

using client::Clock;
using client::ToChrono;
using storage::RelayWindow;

constexpr absl::Duration kCloseTimeout = absl::Seconds(5);
// When other streams fill the memory.
constexpr absl::Duration kFull = absl::Milliseconds(20);
// Around a batch in its message.
constexpr uint64_t kMessageOverhead = 64;

Clock::time_point Never(Clock::time_point now) {
  return now + std::chrono::hours(1);
}

}  // namespace

void ForwardState::NoteAnswer() {
  connected.store(true);
  if (std::exchange(said_away, false)) Log("event=upstream away=0");
}

void ForwardState::NoteAway(const absl::Status& status) {
  connected.store(false);
  if (std::exchange(said_away, true)) return;
  Log(absl::StrCat("event=upstream away=1 error=\"",
                   absl::Utf8SafeCEscape(status.message()), "\""));
}

UpstreamStream::UpstreamStream(ForwardState* shared, uint32_t number)
    : shared_(shared),
      number_(number),
      backoff_(shared->options.backoff_first, shared->options.backoff_most,
               number * uint64_t{7919} +
                   static_cast<uint64_t>(absl::GetCurrentTimeNanos())) {}

UpstreamStream::~UpstreamStream() { DropWindow(); }

std::string UpstreamStream::Name() const {
  return absl::StrCat("run=", view_.identity.run.ToHex(), " role=\"",
                      absl::Utf8SafeCEscape(view_.identity.worker.role),
                      "\" rank=", view_.identity.worker.rank);
}

void UpstreamStream::Cancel() {
  if (has_call()) call_->Cancel();
}

void UpstreamStream::Refresh() {
  news_ = false;
  std::optional<storage::RelayStreamView> view = shared_->store->View(number_);
  if (view.has_value()) {
    view_ = *std::move(view);
  } else {
    view_.waiting = view_.live = false;
  }
}

UpstreamStream::TimePoint UpstreamStream::Step(TimePoint now) {
  if (call_ != nullptr) {
    for (const auto& response : call_->TakeResponses()) Handle(response);
    if (call_->done()) HandleEnd(call_->status(), now);
  }
  switch (state_) {
    case State::kResting:
      return Rest(now);
    case State::kWaiting:
      if (now < due_) return due_;
      return Rest(now);
    case State::kOpening:
    case State::kClosing:
      if (now < due_) return due_;
      call_->Cancel();
      due_ = Never(now);
      return due_;
    case State::kOpen:
      return Forward(now);
    case State::kOver:
      return Never(now);
  }
  return Never(now);
}

UpstreamStream::TimePoint UpstreamStream::Rest(TimePoint now) {
  Refresh();
  if (!view_.waiting && !view_.live) {
    DropWindow();
    state_ = State::kOver;
    return Never(now);
  }
  Connect(view_, now);
  return due_;
}

void UpstreamStream::Connect(const storage::RelayStreamView& view,
                             TimePoint now) {
  v1::StreamRequest request;
  v1::Open* const open = request.mutable_open();
  open->set_run_id(view.identity.run.ToHex());
  ToProto(view.identity.worker, open->mutable_worker());
  open->set_stream_id(std::string(view.identity.stream.raw()));
  const storage::RelayOpening& opening = view.opening;
  open->set_attempt(opening.attempt);
  if (opening.resume_step.has_value()) {
    open->set_resume_step(*opening.resume_step);
  }
  open->set_world_size(opening.world_size);
  // The first time as it was, for a run starts at the smallest clock; later as
  // it would be now, for the upstream compares it with its own.
  int64_t clock_ns = opening.client_time_ns != 0 ? opening.client_time_ns
                                                 : opening.received_ns;
  if (view.announced || announced_ns_ == opening.received_ns) {
    clock_ns += absl::GetCurrentTimeNanos() - opening.received_ns;
  }
  open->set_client_time_ns(clock_ns);
  // All below was acked by the upstream, or lost by the worker. Should the
  // upstream have lost it, it says so to readers and goes on.
  for (const storage::LanePosition& lane : shared_->store->Held(number_)) {
    v1::Lane* const held = open->add_held();
    held->set_schema_id(lane.schema);
    held->set_next_row(lane.next_row);
  }
  declared_.clear();
  refused_lanes_.clear();
  expected_.clear();
  acked_.clear();
  credit_ = client::Credit();
  call_ = std::make_unique<client::StreamCall>(shared_->stub, shared_->events);
  call_->Write(std::move(request));
  state_ = State::kOpening;
  due_ = now + ToChrono(shared_->options.open_timeout);
}

void UpstreamStream::Handle(const v1::StreamResponse& response) {
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

void UpstreamStream::HandleOpened(const v1::Opened& opened) {
  if (state_ != State::kOpening) return;
  state_ = State::kOpen;
  announced_ns_ = view_.opening.received_ns;
  shared_->open_calls.fetch_add(1);
  shared_->NoteAnswer();
  const v1::Limits& limits = opened.limits();
  const uint64_t message_bytes = limits.message_bytes() > 0
                                     ? limits.message_bytes()
                                     : storage::kMaxMessageBytes;
  limits_.most_bytes =
      message_bytes - std::min(message_bytes - 1, kMessageOverhead);
  limits_.rows =
      std::min(limits.batch_rows() > 0 ? limits.batch_rows() : UINT32_MAX,
               storage::kMaxBatchRows);
  credit_.SetLimit(opened.credit_bytes());
  for (const v1::Lane& lane : opened.lanes()) {
    acked_[lane.schema_id()] = lane.next_row();
  }
  if (window_ != nullptr) messages_.emplace(*window_);
  for (const auto& [schema, next_row] : acked_) {
    if (messages_.has_value()) messages_->SkipBelow(schema, next_row);
  }
  last_sent_ = Clock::now();
}

void UpstreamStream::HandleAck(const v1::Ack& ack) {
  backoff_.Reset();
  for (const v1::Lane& lane : ack.lanes()) {
    uint64_t& acked = acked_[lane.schema_id()];
    acked = std::max(acked, lane.next_row());
    credit_.Answered(lane.schema_id(), lane.next_row());
  }
  credit_.SetLimit(ack.credit_bytes());
}

void UpstreamStream::HandleRejected(const v1::Rejected& rejected) {
  const uint32_t schema = rejected.schema_id();
  // What counts as delivered is acked once that is durable.
  credit_.Answered(schema, rejected.first_row() + rejected.rows());
  if (expected_.erase({schema, rejected.first_row()}) > 0) return;
  if (rejected.code() == static_cast<uint32_t>(absl::StatusCode::kOutOfRange)) {
    // It missed rows: a new call finds out which it has.
    call_->Cancel();
    return;
  }
  shared_->rejected_batches.fetch_add(1);
  if (!std::exchange(complained_, true)) {
    shared_->Log(absl::StrCat(
        "event=rejected_upstream ", Name(), " schema=", schema,
        " first_row=", rejected.first_row(), " rows=", rejected.rows(),
        " error=\"", absl::Utf8SafeCEscape(rejected.message()), "\""));
  }
  if (rejected.rows() > 0) return;
  // The schema itself: none of its rows will ever be taken.
  refused_lanes_.insert(schema);
  credit_.Answered(schema, ~uint64_t{0});
  if (messages_.has_value()) messages_->SkipLane(schema);
}

void UpstreamStream::HandleEnd(const absl::Status& ended_with, TimePoint now) {
  const absl::Status status = ended_with;
  if (state_ == State::kOpen || state_ == State::kClosing) {
    shared_->open_calls.fetch_sub(1);
  }
  const bool closed = state_ == State::kClosing;
  call_.reset();
  messages_.reset();
  if (closed) {
    state_ = State::kResting;
    return;
  }
  if (absl::IsNotFound(status)) {
    shared_->NoteAnswer();
    shared_->Log(absl::StrCat("event=run_gone ", Name(), " error=\"",
                              absl::Utf8SafeCEscape(status.message()), "\""));
    DropWindow();
    shared_->store->Drop(view_.identity.run, status);
    state_ = State::kOver;
    return;
  }
  if (absl::IsUnavailable(status) || absl::IsCancelled(status)) {
    shared_->NoteAway(status);
  } else {
    shared_->NoteAnswer();
  }
  state_ = State::kWaiting;
  // Two that take turns at one stream should not do so all the time.
  due_ = now + ToChrono(absl::IsAborted(status) ? shared_->options.backoff_most
                                                : backoff_.Next());
}

UpstreamStream::TimePoint UpstreamStream::Forward(TimePoint now) {
  while (state_ == State::kOpen) {
    if (window_ == nullptr) {
      const TimePoint next = TakeWindow(now);
      if (window_ == nullptr) return next;
    }
    if (WindowIsDone()) {
      FinishWindow();
      continue;
    }
    Send(now);
    return Never(now);  // an answer goes on from here
  }
  return due_;
}

UpstreamStream::TimePoint UpstreamStream::TakeWindow(TimePoint now) {
  if (news_) Refresh();
  if (!view_.waiting) return BeIdle(now);
  if (now < next_window_) return next_window_;
  if (shared_->windows_bytes >= shared_->options.windows_bytes) {
    return now + ToChrono(kFull);
  }
  absl::StatusOr<std::unique_ptr<RelayWindow>> window =
      shared_->store->Read(number_, shared_->options.window_bytes);
  if (!window.ok()) {
    if (!std::exchange(complained_, true)) {
      shared_->Log(
          absl::StrCat("event=backlog_unreadable ", Name(), " error=\"",
                       absl::Utf8SafeCEscape(window.status().message()), "\""));
    }
    return now + ToChrono(shared_->options.backoff_most);
  }
  if ((*window)->empty()) {
    view_.waiting = false;
    return BeIdle(now);
  }
  window_ = *std::move(window);
  shared_->windows_bytes += window_->bytes();
  next_window_ = window_->bytes() < shared_->options.window_bytes
                     ? now + ToChrono(shared_->options.gather)
                     : now;
  if (window_->kind() != RelayWindow::Kind::kRows) {
    // Told in the Open of a new call; all before it is acked.
    FinishWindow();
    Close(now);
    return due_;
  }
  messages_.emplace(*window_);
  for (const auto& [schema, next_row] : acked_) {
    messages_->SkipBelow(schema, next_row);
  }
  return now;
}

UpstreamStream::TimePoint UpstreamStream::BeIdle(TimePoint now) {
  if (!view_.live) {
    const TimePoint end = last_sent_ + ToChrono(shared_->options.idle);
    if (now < end) return end;
    Close(now);
    return due_;
  }
  const TimePoint due = last_sent_ + ToChrono(shared_->options.heartbeat);
  if (now < due) return due;
  last_sent_ = now;
  Refresh();
  if (view_.heartbeat_ns > heartbeat_sent_ns_ && call_->writable()) {
    heartbeat_sent_ns_ = view_.heartbeat_ns;
    v1::StreamRequest request;
    request.mutable_heartbeat()->set_client_time_ns(view_.heartbeat_ns);
    call_->Write(std::move(request));
  }
  return last_sent_ + ToChrono(shared_->options.heartbeat);
}

void UpstreamStream::Send(TimePoint now) {
  if (!call_->writable() || !messages_.has_value()) return;
  std::optional<uint32_t> schema = messages_->NextSchema();
  while (schema.has_value() && refused_lanes_.contains(*schema)) {
    messages_->SkipLane(*schema);
    schema = messages_->NextSchema();
  }
  if (!schema.has_value()) return;
  v1::StreamRequest request;
  if (!declared_.contains(*schema)) {
    const auto metrics = shared_->store->Metrics(number_, *schema);
    if (metrics == nullptr) return;  // its run was deleted
    v1::Schema* const to = request.mutable_schema();
    to->set_id(*schema);
    for (const storage::Metric& metric : *metrics) {
      ToProto(metric, to->add_metrics());
    }
    declared_.insert(*schema);
  } else {
    const uint64_t credit = credit_.Available();
    if (credit == 0) return;
    limits_.bytes =
        std::min({credit, shared_->options.batch_bytes, limits_.most_bytes});
    const std::optional<storage::RelayMessage> message =
        messages_->Next(limits_);
    v1::Batch* const batch = request.mutable_batch();
    if (!batch->ParseFromArray(message->batch.data(),
                               static_cast<int>(message->batch.size()))) {
      return;  // never: we made it
    }
    if (message->refused) {
      expected_.emplace(message->schema, message->first_row);
    }
    credit_.Sent(message->schema, message->end_row, message->batch.size());
    shared_->forwarded_batches.fetch_add(1);
  }
  call_->Write(std::move(request));
  last_sent_ = now;
}

bool UpstreamStream::WindowIsDone() const {
  if (window_->kind() != RelayWindow::Kind::kRows) return true;
  return std::all_of(
      window_->ends().begin(), window_->ends().end(), [this](const auto& end) {
        if (refused_lanes_.contains(end.first)) return true;
        const auto acked = acked_.find(end.first);
        return acked != acked_.end() && acked->second >= end.second;
      });
}

void UpstreamStream::FinishWindow() {
  shared_->store->Trim(number_, *window_);
  shared_->forwarded_rows.fetch_add(window_->rows());
  DropWindow();
  news_ = true;
}

void UpstreamStream::DropWindow() {
  messages_.reset();
  if (window_ == nullptr) return;
  shared_->windows_bytes -= window_->bytes();
  window_.reset();
}

void UpstreamStream::Close(TimePoint now) {
  if (!call_->writable()) {
    // A heartbeat is still on its way out; nothing that counts.
    call_->Cancel();
  } else {
    v1::StreamRequest request;
    request.mutable_close();
    call_->WriteLast(std::move(request));
  }
  state_ = State::kClosing;
  due_ = now + ToChrono(kCloseTimeout);
}

}  // namespace waterflow::server
