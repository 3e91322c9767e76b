// How much the server takes in before it makes a client wait, as numbers and as
// rules. Passing a limit withholds credit or stops reading; it never rejects.
//
//   per stream    its credit: reading stops while so many bytes of its batches
//                 are not durable, and goes on when acks bring them below
//   per store     reading stops on every stream while the backend has more than
//                 max_pending_bytes() on its way to the disk
//   per project   reading stops while its streams logged more rows in a second
//                 than they may (StreamSession::Throttled)
//   per session   reading stops while kMaxQueuedRejections wait for a client
//                 that does not read its answers
//
// The credit of each stream is the smaller of two:
//   - what the store has free (the dynamic thresholds of Choudhury and Hahne,
//     for shared buffers, with a factor of one). One busy stream gets all it
//     can use; n busy ones settle at 1/(n+1) of the bound each, so that they
//     never fill it and a slow stream always finds room;
//   - its share of kPromisedBounds times the bound, so that all credits are
//     bounded even if all streams use them at the same instant. Most do not:
//     hence more than one bound.
//
// Who goes on against all this, for as long as `patience`, is sent away.
#ifndef WATERFLOW_SERVER_ADMISSION_H_
#define WATERFLOW_SERVER_ADMISSION_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"
#include "storage/ingest_backend.h"

namespace waterflow::server {

inline constexpr size_t kMaxStreamCreditBytes = size_t{16} << 20;
inline constexpr size_t kMinStreamCreditBytes = size_t{64} << 10;
inline constexpr size_t kPromisedBounds = 8;
inline constexpr size_t kMaxQueuedRejections = 64;
// How often streams that wait for the store or for a rate look again: the news
// that there is room may go to another thread's streams.
inline constexpr absl::Duration kRecheck = absl::Milliseconds(10);
// A stream that waits for a rate asks again after this at the latest.
inline constexpr absl::Duration kMaxThrottle = absl::Seconds(1);
// Patience is measured in looks at all sessions, so many for its whole length:
// no clock is read for a message.
inline constexpr uint32_t kLooksPerPatience = 4;

inline constexpr uint32_t kDefaultMaxStreams = 50'000;
inline constexpr absl::Duration kDefaultPatience = absl::Seconds(30);

// Shared by all threads of a front.
class Admission {
 public:
  Admission(const storage::IngestBackend* backend, uint32_t max_streams,
            absl::Duration patience)
      : max_streams_(max_streams), patience_(patience), backend_(backend) {}

  // A call came; false: as many are open as may be. Followed by Leave.
  bool Enter() { return streams_.fetch_add(1) < max_streams_; }
  void Leave() { streams_.fetch_sub(1); }

  bool store_is_full() const {
    return backend_->pending_bytes() > backend_->max_pending_bytes();
  }
  // What a stream may have on its way, unacked, at this moment.
  size_t credit() const {
    const size_t pending = backend_->pending_bytes();
    const size_t bound = backend_->max_pending_bytes();
    const size_t free = bound - std::min(pending, bound);
    const size_t share =
        kPromisedBounds * bound / std::max<size_t>(streams_.load(), 1);
    return std::clamp(std::min(free, share), kMinStreamCreditBytes,
                      kMaxStreamCreditBytes);
  }

  uint32_t max_streams() const { return max_streams_; }
  absl::Duration patience() const { return patience_; }

 private:
  const uint32_t max_streams_;
  const absl::Duration patience_;
  const storage::IngestBackend* const backend_;
  std::atomic<uint32_t> streams_{0};
};

// The bytes of one stream that are taken and not yet durable, against what its
// client was told. A client learns late of a credit that shrank, so what counts
// against it is the largest it ever was told.
class StreamCredit {
 public:
  void Taken(size_t bytes) { unacked_ += bytes; }
  void Durable(size_t bytes) { unacked_ -= std::min(bytes, unacked_); }
  // The client is told `credit`.
  void Announced(size_t credit) { promised_ = std::max(promised_, credit); }

  // Whether more should wait, with this credit now. Nothing on its way: a batch
  // of any size may come.
  bool exhausted(size_t credit) const {
    return unacked_ > 0 && unacked_ >= std::min(credit, promised_);
  }
  // Whether no client that keeps to its credit would send another batch.
  bool overdrawn() const { return unacked_ > 0 && unacked_ >= promised_; }
  bool all_durable() const { return unacked_ == 0; }
  size_t unacked() const { return unacked_; }
  size_t promised() const { return promised_; }

 private:
  size_t unacked_ = 0;
  size_t promised_ = 0;
};

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_ADMISSION_H_
