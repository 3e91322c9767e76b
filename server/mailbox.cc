#include "server/mailbox.h"

#include <grpc/support/time.h>

#include <algorithm>
#include <utility>

namespace waterflow::server {

void AddLane(const storage::LanePosition& lane, MovedLanes* lanes) {
  // Looks at a few entries only: a stream of thousands of lanes must not make
  // this quadratic. What stays double is sorted out when the ack is written.
  constexpr size_t kNear = 8;
  const size_t from = lanes->size() > kNear ? lanes->size() - kNear : 0;
  for (size_t i = from; i < lanes->size(); ++i) {
    storage::LanePosition& known = (*lanes)[i];
    if (known.schema == lane.schema) {
      known.next_row = std::max(known.next_row, lane.next_row);
      return;
    }
  }
  lanes->push_back(lane);
}

void SessionObserver::OnDurable(absl::Span<const storage::LanePosition> lanes,
                                storage::Position position, size_t bytes) {
  mailbox_->Post(this, [&](News* news) {
    for (const storage::LanePosition& lane : lanes) {
      AddLane(lane, &news->lanes);
    }
    news->position = std::max(news->position, position);
    news->durable_bytes += bytes;
  });
}

void SessionObserver::OnEnded(absl::Status status) {
  mailbox_->Post(this, [&](News* news) { news->ended = std::move(status); });
}

void SessionObserver::OnOpened(
    absl::StatusOr<std::unique_ptr<storage::StreamSession>> opened) {
  mailbox_->Post(this, [&](News* news) { news->opened = std::move(opened); });
}

void Mailbox::Nudge() {
  storage::MutexLock lock(&mutex_);
  if (!closed_) Wake();
}

void Mailbox::Collect(std::vector<Letter>* letters) {
  letters->clear();
  storage::MutexLock lock(&mutex_);
  letters->swap(letters_);
  ++collection_;
  waking_ = false;
}

void Mailbox::Close() {
  std::vector<Letter> unread;  // dropped after the lock
  storage::MutexLock lock(&mutex_);
  closed_ = true;
  unread.swap(letters_);
}

News* Mailbox::NewsOf(SessionObserver* to) {
  if (to->collection_ != collection_) {
    to->collection_ = collection_;
    to->slot_ = letters_.size();
    letters_.emplace_back().to = to->shared_from_this();
  }
  return &letters_[to->slot_].news;
}

void Mailbox::Wake() {
  if (waking_) return;
  waking_ = true;
  // Set under the lock: after Close no alarm may be set, as the queue may be
  // shut down.
  alarm_.Set(queue_, gpr_now(GPR_CLOCK_MONOTONIC), tag_);
}

}  // namespace waterflow::server
