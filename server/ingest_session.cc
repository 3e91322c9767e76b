#include "server/ingest_session.h"

#include <grpc/grpc.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/convert.h"
#include "server/version.h"
#include "server/wire.h"
#include "storage/model/limits.h"

namespace waterflow::server {
namespace {

void FillLanes(absl::Span<const storage::LanePosition> lanes,
               google::protobuf::RepeatedPtrField<v1::Lane>* out) {
  for (const storage::LanePosition& lane : lanes) {
    v1::Lane* to = out->Add();
    to->set_schema_id(lane.schema);
    to->set_next_row(lane.next_row);
  }
}

// One entry a lane, its furthest.
void SortOutDoubles(MovedLanes* lanes) {
  std::sort(lanes->begin(), lanes->end(), [](const auto& a, const auto& b) {
    return a.schema != b.schema ? a.schema < b.schema : a.next_row > b.next_row;
  });
  lanes->erase(std::unique(lanes->begin(), lanes->end(),
                           [](const auto& a, const auto& b) {
                             return a.schema == b.schema;
                           }),
               lanes->end());
}

void FillOpened(const std::vector<storage::LanePosition>& lanes, size_t credit,
                v1::Tier tier, v1::Opened* opened) {
  FillLanes(lanes, opened->mutable_lanes());
  opened->set_credit_bytes(credit);
  v1::Limits* limits = opened->mutable_limits();
  limits->set_message_bytes(storage::kMaxMessageBytes);
  limits->set_batch_rows(storage::kMaxBatchRows);
  limits->set_schema_metrics(storage::kMaxSchemaMetrics);
  limits->set_name_bytes(storage::kMaxMetricNameBytes);
  opened->set_server_version(kServerVersion);
  opened->set_tier(tier);
  opened->add_value_types(v1::VALUE_TYPE_FLOAT64);
  opened->add_value_types(v1::VALUE_TYPE_FLOAT32);
  opened->add_value_types(v1::VALUE_TYPE_INT64);
  opened->add_value_types(v1::VALUE_TYPE_FLOAT16);
  opened->add_value_types(v1::VALUE_TYPE_BFLOAT16);
}

}  // namespace

template <void (IngestSession::*handler)(bool)>
CqTag IngestSession::MakeTag() {
  return {[](void* session, bool ok) {
            (static_cast<IngestSession*>(session)->*handler)(ok);
          },
          this};
}

IngestSession::IngestSession(IngestLoop* loop)
    : loop_(loop),
      call_(&context_),
      accepted_tag_(MakeTag<&IngestSession::OnAccepted>()),
      read_tag_(MakeTag<&IngestSession::OnRead>()),
      written_tag_(MakeTag<&IngestSession::OnWritten>()),
      finished_tag_(MakeTag<&IngestSession::OnFinished>()),
      done_tag_(MakeTag<&IngestSession::OnCallDone>()) {}

IngestSession::~IngestSession() {
  if (observer_ != nullptr) observer_->Detach();
  if (entered_) loop_->admission()->Leave();
}

void IngestSession::Accept() {
  context_.AsyncNotifyWhenDone(&done_tag_);
  loop_->service()->RequestStream(&context_, &call_, loop_->queue(),
                                  loop_->queue(), &accepted_tag_);
}

void IngestSession::OnAccepted(bool ok) {
  if (!ok) {  // the server shuts down; gRPC sends no OnCallDone then
    loop_->Retire(this);
    return;
  }
  call_open_ = true;
  loop_->AcceptNext();
  accepted_at_ = loop_->looks();
  entered_ = true;
  if (!loop_->admission()->Enter()) {
    End(absl::ResourceExhaustedError(absl::StrCat(
            "max_streams is ", loop_->admission()->max_streams(),
            " and as many are open (--max-streams); try again later")),
        false);
  }
  if (loop_->draining()) {
    End(absl::UnavailableError("server is stopping"), false);
  }
  Advance();
}

void IngestSession::OnRead(bool ok) {
  reading_ = false;
  if (phase_ == Phase::kEnding) {
    // Nothing is taken any more.
  } else if (ok) {
    HandleMessage();
  } else {
    End(absl::OkStatus(), true);  // half-closed, or gone
  }
  // The next message may be long in coming, and until then a whole read buffer
  // would stay for a slice of it.
  incoming_.Clear();
  Advance();
}

void IngestSession::OnWritten(bool) {
  writing_ = false;
  outgoing_.Clear();
  Advance();
}

void IngestSession::OnFinished(bool) {
  finishing_ = false;
  Advance();
}

void IngestSession::OnCallDone(bool) {
  // The client is gone, or heard the end: whatever is under way comes back.
  call_open_ = false;
  Advance();
}

void IngestSession::Hear(News news) {
  if (news.opened.has_value()) HandleOpened(*std::move(news.opened));
  if (!news.lanes.empty()) {
    for (const storage::LanePosition& lane : news.lanes) AddLane(lane, &moved_);
    position_ = std::max(position_, news.position);
    // A client that reads no acks must not make this grow for ever.
    if (moved_.size() > sort_moved_at_) {
      SortOutDoubles(&moved_);
      sort_moved_at_ = std::max(kMinSortedLanes, 2 * moved_.size());
    }
  }
  credit_.Durable(news.durable_bytes);
  if (news.ended.has_value()) End(*std::move(news.ended), false);
  Advance();
}

void IngestSession::ResumeReading() { Advance(); }

void IngestSession::Look() {
  if (!call_open_ || finished_) return;
  const absl::Duration patience = loop_->admission()->patience();
  if (writing_ && loop_->PatienceIsOver(writing_since_)) {
    Abort(absl::ResourceExhaustedError(absl::StrCat(
        "no answer was read for ", absl::FormatDuration(patience))));
    return;
  }
  if (phase_ == Phase::kAwaitingOpen && loop_->PatienceIsOver(accepted_at_)) {
    End(absl::DeadlineExceededError(absl::StrCat(
            "no Open came within ", absl::FormatDuration(patience))),
        false);
  }
  // Whoever keeps to its credit has nothing more on its way.
  if (exhausted_ && loop_->PatienceIsOver(exhausted_since_)) probing_ = true;
  Advance();
}

void IngestSession::Abort(const absl::Status& status) {
  phase_ = Phase::kEnding;
  finished_ = true;
  // As TryCancel, but the client may learn why.
  grpc_call_cancel_with_status(context_.c_call(),
                               static_cast<grpc_status_code>(status.code()),
                               std::string(status.message()).c_str(), nullptr);
}

void IngestSession::Drain(const absl::Status& status) {
  if (!call_open_) return;  // not accepted yet
  if (phase_ != Phase::kEnding) End(status, true);
  Advance();
}

void IngestSession::End(absl::Status status, bool when_durable) {
  phase_ = Phase::kEnding;
  ending_status_ = std::move(status);
  end_when_durable_ = when_durable;
}

void IngestSession::Advance() {
  if (call_open_ && !finished_ && !loop_->stopping()) {
    if (!writing_) {
      if (NextReply()) {
        writing_ = true;
        writing_since_ = loop_->looks();
        call_.Write(outgoing_, &written_tag_);
      } else if (phase_ == Phase::kEnding &&
                 (!end_when_durable_ || credit_.all_durable())) {
        finishing_ = finished_ = true;
        call_.Finish(ToGrpc(ending_status_), &finished_tag_);
      }
    }
    if (!reading_ && MayRead()) {
      reading_ = true;
      call_.Read(&incoming_, &read_tag_);
    }
  }
  if (!reading_ && !writing_ && !finishing_ && !call_open_) {
    loop_->Retire(this);
  }
}

bool IngestSession::MayRead() {
  switch (phase_) {
    case Phase::kAwaitingOpen:
      return rejections_.size() < kMaxQueuedRejections;
    case Phase::kOpen:
      if (rejections_.size() >= kMaxQueuedRejections) {
        return false;  // a write goes on from here
      }
      if (credit_.exhausted(loop_->admission()->credit())) {
        if (!exhausted_) exhausted_since_ = loop_->looks();
        exhausted_ = true;
        return probing_;  // an ack goes on from here
      }
      exhausted_ = probing_ = false;
      if (loop_->admission()->store_is_full()) {
        loop_->ResumeAfter(this, absl::ZeroDuration());
        return false;
      }
      if (const absl::Duration wait = session_->Throttled();
          wait > absl::ZeroDuration()) {
        // Not for long: the limit may be raised meanwhile.
        loop_->ResumeAfter(this, std::min(wait, kMaxThrottle));
        return false;
      }
      return true;
    case Phase::kOpening:
    case Phase::kEnding:
      return false;
  }
  return false;
}

bool IngestSession::NextReply() {
  v1::StreamResponse* const reply = loop_->response();
  if (opened_to_send_) {
    opened_to_send_ = false;
    reply->Clear();
    const size_t credit = loop_->admission()->credit();
    credit_.Announced(credit);
    FillOpened(session_->known_lanes(), credit,
               loop_->backend()->forwards() ? v1::TIER_RELAY : v1::TIER_SERVER,
               reply->mutable_opened());
  } else if (!rejections_.empty()) {
    *reply->mutable_rejected() = std::move(rejections_.front());
    rejections_.pop_front();
  } else if (!moved_.empty()) {
    if (moved_.size() > 1) SortOutDoubles(&moved_);
    v1::Ack* ack = reply->mutable_ack();
    ack->Clear();
    FillLanes(moved_, ack->mutable_lanes());
    ack->set_token(EncodeToken(position_));
    const size_t credit = loop_->admission()->credit();
    credit_.Announced(credit);
    ack->set_credit_bytes(credit);
    moved_.clear();
  } else {
    return false;
  }
  outgoing_.Clear();
  bool own_buffer;
  grpc::GenericSerialize<grpc::ProtoBufferWriter, v1::StreamResponse>(
      *reply, &outgoing_, &own_buffer);
  return true;
}

void IngestSession::HandleMessage() {
  if (phase_ == Phase::kOpen) {
    if (std::optional<storage::BatchBody> body = TakeBatch(incoming_)) {
      HandleBatch(*std::move(body));
      return;
    }
  }
  HandleOther();
}

void IngestSession::HandleBatch(storage::BatchBody body) {
  const size_t bytes = body.size;
  if (std::exchange(probing_, false) && credit_.overdrawn()) {
    End(absl::ResourceExhaustedError(
            absl::StrCat("credit_bytes is ", credit_.promised(), ", ",
                         credit_.unacked(), " bytes were not acked for ",
                         absl::FormatDuration(loop_->admission()->patience()),
                         " and yet a batch came")),
        false);
    return;
  }
  exhausted_ = false;
  const std::optional<storage::Rejection> rejection =
      session_->Append(std::move(body));
  if (!rejection.has_value()) {
    credit_.Taken(bytes);
  } else {
    Reject(rejection->status, rejection->schema, rejection->first_row,
           rejection->rows);
  }
}

void IngestSession::HandleOther() {
  v1::StreamRequest* const request = loop_->request();
  const absl::Status parsed = ParseMessage(incoming_, request);
  const auto kind = request->message_case();
  if (!parsed.ok() && kind == v1::StreamRequest::kOpen) {
    End(parsed, false);
    return;
  }
  if (!parsed.ok()) {
    Reject(parsed,
           request->has_batch() ? request->batch().schema_id()
                                : request->schema().id(),
           request->batch().first_row());
    return;
  }
  switch (kind) {
    case v1::StreamRequest::kOpen:
      HandleOpen(request->open());
      return;
    case v1::StreamRequest::kSchema:
      HandleSchema(request->schema());
      return;
    case v1::StreamRequest::kBatch: {
      const v1::Batch& batch = request->batch();
      if (phase_ == Phase::kAwaitingOpen) {
        Reject(absl::FailedPreconditionError("a batch came before Open"),
               batch.schema_id(), batch.first_row());
        return;
      }
      // A valid batch in an unusual encoding, such as one cut in two fields.
      storage::BatchBody body;
      body.size = batch.ByteSizeLong();
      body.bytes = std::make_unique_for_overwrite<char[]>(body.size);
      batch.SerializeToArray(body.bytes.get(), static_cast<int>(body.size));
      HandleBatch(std::move(body));
      return;
    }
    case v1::StreamRequest::kHeartbeat:
      if (phase_ == Phase::kOpen) {
        session_->Heartbeat(request->heartbeat().client_time_ns());
      }
      return;
    case v1::StreamRequest::kClose:
      End(absl::OkStatus(), true);
      return;
    case v1::StreamRequest::MESSAGE_NOT_SET:
      Reject(absl::InvalidArgumentError(
          "the message holds none of open, schema, batch, heartbeat, close"));
      return;
  }
}

void IngestSession::HandleOpen(const v1::Open& open) {
  if (phase_ != Phase::kAwaitingOpen) {
    End(absl::InvalidArgumentError("Open came twice in one call"), true);
    return;
  }
  absl::StatusOr<storage::StreamOptions> options = FromProto(open);
  if (!options.ok()) {
    End(options.status(), false);
    return;
  }
  phase_ = Phase::kOpening;
  observer_ = std::make_shared<SessionObserver>(loop_->mailbox(), this);
  loop_->backend()->OpenStream(*std::move(options), observer_,
                               [observer = observer_](auto opened) {
                                 observer->OnOpened(std::move(opened));
                               });
}

void IngestSession::HandleOpened(
    absl::StatusOr<std::unique_ptr<storage::StreamSession>> opened) {
  if (phase_ != Phase::kOpening) return;  // the call ends already
  if (!opened.ok()) {
    End(opened.status(), false);
    return;
  }
  phase_ = Phase::kOpen;
  session_ = *std::move(opened);
  opened_to_send_ = true;
}

void IngestSession::HandleSchema(const v1::Schema& schema) {
  if (phase_ == Phase::kAwaitingOpen) {
    Reject(absl::FailedPreconditionError("a schema came before Open"),
           schema.id());
    return;
  }
  std::vector<storage::Metric> metrics;
  metrics.reserve(
      std::min<size_t>(schema.metrics_size(), storage::kMaxSchemaMetrics + 1));
  for (const v1::Metric& metric : schema.metrics()) {
    metrics.push_back(FromProto(metric));
  }
  const absl::Status declared =
      session_->DeclareSchema(schema.id(), std::move(metrics));
  if (!declared.ok()) Reject(declared, schema.id());
}

void IngestSession::Reject(const absl::Status& status, uint32_t schema_id,
                           uint64_t first_row, uint32_t rows) {
  v1::Rejected& rejected = rejections_.emplace_back();
  rejected.set_schema_id(schema_id);
  rejected.set_first_row(first_row);
  rejected.set_rows(rows);
  rejected.set_code(static_cast<uint32_t>(status.code()));
  rejected.set_message(std::string(status.message()));
}

}  // namespace waterflow::server
