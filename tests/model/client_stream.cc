#include "tests/model/client_stream.h"

#include <algorithm>

#include "absl/time/clock.h"

namespace waterflow::storage::model {

void AckBook::Ack(absl::Span<const LanePosition> lanes) {
  MutexLock lock(&mutex_);
  for (const LanePosition& lane : lanes) {
    uint64_t& next = next_rows_[lane.schema];
    next = std::max(next, lane.next_row);
  }
  changed_.NotifyAll();
}

uint64_t AckBook::acked(uint32_t lane) {
  MutexLock lock(&mutex_);
  return next_rows_[lane];
}

bool AckBook::WaitFor(uint32_t lane, uint64_t next_row,
                      const std::function<bool()>& give_up) {
  const absl::Time deadline = absl::Now() + absl::Seconds(120);
  MutexLock lock(&mutex_);
  while (next_rows_[lane] < next_row) {
    if (give_up() || absl::Now() > deadline) return false;
    changed_.WaitFor(&mutex_, absl::Milliseconds(10));
  }
  return true;
}

void ClientObserver::OnDurable(absl::Span<const LanePosition> lanes,
                               Position /*position*/, size_t /*bytes*/) {
  book_->Ack(lanes);
}

void ClientObserver::OnEnded(absl::Status status) {
  MutexLock lock(&mutex_);
  ended_ = std::move(status);
}

std::optional<absl::Status> ClientObserver::ended() {
  MutexLock lock(&mutex_);
  return ended_;
}

absl::Status ClientStream::Open(Engine* engine,
                                std::vector<LanePosition> held) {
  struct Answer {
    Mutex mutex;
    CondVar done;
    std::optional<absl::StatusOr<std::unique_ptr<StreamSession>>> session
        ABSL_GUARDED_BY(mutex);
  };
  auto answer = std::make_shared<Answer>();
  auto fresh = std::make_shared<ClientObserver>(book);
  StreamOptions with_held = options;
  with_held.held = std::move(held);
  engine->OpenStream(
      with_held, fresh,
      [answer](absl::StatusOr<std::unique_ptr<StreamSession>> opened) {
        MutexLock lock(&answer->mutex);
        answer->session = std::move(opened);
        answer->done.NotifyAll();
      });
  absl::StatusOr<std::unique_ptr<StreamSession>> opened =
      absl::UnknownError("no answer");
  {
    MutexLock lock(&answer->mutex);
    while (!answer->session.has_value()) answer->done.Wait(&answer->mutex);
    opened = std::move(*answer->session);
  }
  Drop();
  if (!opened.ok()) return opened.status();
  session = *std::move(opened);
  observer = std::move(fresh);
  // As good as acks: a write whose sync failed may have survived all the same.
  book->Ack(session->known_lanes());
  return absl::OkStatus();
}

absl::Status ClientStream::Declare(uint32_t number) {
  ClientLane& lane = lanes.at(number);
  absl::Status s = session->DeclareSchema(number, lane.content.Metrics());
  if (s.ok()) lane.declared = true;
  return s;
}

void ClientStream::Drop() {
  session.reset();
  for (auto& [number, lane] : lanes) lane.declared = false;
}

}  // namespace waterflow::storage::model
