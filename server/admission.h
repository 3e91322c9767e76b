// How much the server takes in before it makes a client wait, as numbers and as
// rules. Passing a limit withholds credit or stops reading; it never rejects.
//
//   per stream    reading stops while more than kStreamCreditBytes of its
//                 batches are not durable, and goes on when acks bring it below
//   per store     reading stops on every stream while the backend has more than
//                 max_pending_bytes() on its way to the disk
//   per project   reading stops while its streams logged more rows than they
//   may
//                 in a second (StreamSession::Throttled)
//   per session   reading stops while kMaxQueuedRejections wait for a client
//                 that does not read its answers
#ifndef WATERFLOW_SERVER_ADMISSION_H_
#define WATERFLOW_SERVER_ADMISSION_H_

#include <algorithm>
#include <cstddef>

#include "absl/time/time.h"
#include "storage/ingest_backend.h"

namespace waterflow::server {

inline constexpr size_t kStreamCreditBytes = size_t{16} << 20;
inline constexpr size_t kMaxQueuedRejections = 64;
// How often streams that wait for the store or for a rate look again: the news
// that there is room may go to another thread's streams.
inline constexpr absl::Duration kRecheck = absl::Milliseconds(10);
// A stream that waits for a rate asks again after this at the latest.
inline constexpr absl::Duration kMaxThrottle = absl::Seconds(1);

// The bytes of one stream that are taken and not yet durable.
class StreamCredit {
 public:
  void Taken(size_t bytes) { unacked_ += bytes; }
  void Durable(size_t bytes) { unacked_ -= std::min(bytes, unacked_); }

  bool exhausted() const { return unacked_ >= kStreamCreditBytes; }
  bool all_durable() const { return unacked_ == 0; }

 private:
  size_t unacked_ = 0;
};

inline bool StoreIsFull(const storage::IngestBackend& backend) {
  return backend.pending_bytes() > backend.max_pending_bytes();
}

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_ADMISSION_H_
