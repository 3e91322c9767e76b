// All lanes of one writer between the thread that logs and the thread that
// sends, within a bound of memory. Thread-safe.
#ifndef WATERFLOW_CLIENT_CPP_ROW_BUFFER_H_
#define WATERFLOW_CLIENT_CPP_ROW_BUFFER_H_

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cpp/clock.h"
#include "client/cpp/lane.h"
#include "client/cpp/row_block.h"
#include "waterflow/v1/ingest.pb.h"

namespace waterflow::client {

struct RowBufferOptions {
  // A batch is cut at this many rows, this many bytes, or this age.
  size_t batch_rows = 4096;
  size_t batch_bytes = size_t{256} << 10;
  absl::Duration max_age = absl::Milliseconds(100);
  // Most bytes of rows that wait for their ack.
  size_t capacity_bytes = size_t{64} << 20;
};

struct BufferCounts : LaneCounts {
  // Not taken, because the buffer was full.
  uint64_t rows_refused = 0;
  size_t buffered_bytes = 0;
};

class RowBuffer {
 public:
  // `wake` is called, with no lock that it could wait for, when there is
  // something new to send.
  RowBuffer(RowBufferOptions options, std::function<void()> wake);

  // ---- the thread that logs ----

  // The number of the new schema; they count from 0.
  absl::StatusOr<uint32_t> Declare(std::vector<v1::Metric> metrics);
  // Waits up to `patience` for room, then RESOURCE_EXHAUSTED. The status of
  // Fail once that was called, and the lane's own when the server refused it.
  absl::Status Append(uint32_t schema, const Row& row, absl::Duration patience);
  // Makes all rows due and waits until the server has answered for those that
  // were appended before the call.
  absl::Status WaitDrained(absl::Duration timeout);
  BufferCounts counts() const;

  // ---- the thread that sends ----

  // What to say in Open: each lane of which something was acked before.
  std::vector<v1::Lane> Held() const;
  // A new session began; the server stands at these rows.
  void Opened(const std::vector<v1::Lane>& lanes);
  // Rows that are due, lanes in turn, at most `max_rows` and `max_bytes` of
  // them; when not even one row is that small, one row if `at_least_one`.
  // Nothing: none is due before `*next_due`, or none is small enough.
  std::optional<Piece> Take(size_t max_rows, size_t max_bytes,
                            bool at_least_one, Clock::time_point now,
                            Clock::time_point* next_due);
  std::vector<v1::Metric> Metrics(uint32_t schema) const;
  // Returns the lane's first row that is not answered yet.
  uint64_t Acked(uint32_t schema, uint64_t next_row);
  uint64_t Rejected(uint32_t schema, uint64_t first_row, uint64_t rows);
  void RejectedLane(uint32_t schema, absl::Status status);
  // The writer is over: all calls that wait return, later ones too.
  void Fail(absl::Status status);

 private:
  Lane* Find(uint32_t schema) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool Drained(const std::vector<uint64_t>& targets) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Check(uint32_t schema, const Row& row) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // After rows left: keeps account and wakes who waits for it.
  void Release(const Lane& lane, size_t bytes_before)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const RowBufferOptions options_;
  const std::function<void()> wake_;
  mutable std::mutex mu_;
  std::condition_variable changed_;  // room, answers or failure
  std::vector<std::unique_ptr<Lane>> lanes_ ABSL_GUARDED_BY(mu_);
  // Rows that the server has in lanes that were not declared here yet.
  std::map<uint32_t, uint64_t> known_ ABSL_GUARDED_BY(mu_);
  size_t next_lane_ ABSL_GUARDED_BY(mu_) = 0;
  size_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t rows_refused_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
};

}  // namespace waterflow::client

#endif  // WATERFLOW_CLIENT_CPP_ROW_BUFFER_H_
