// The rows of one schema of a stream, numbered from 0, from the moment they are
// appended until the server has answered for them.
//
//        acked            cursor               end
//   ------|----------------|--------------------|
//   gone  | sent, unacked  | waiting to be sent | next row to be appended
//
// A reconnect moves the cursor back to acked, and rows are cut into batches
// anew from there. Rows that the server already has (it can know more rows than
// were appended here, when a program runs a second time with the same stream
// id) are counted and not kept. Not thread-safe: RowBuffer owns it.
#ifndef WATERFLOW_CLIENT_CPP_LANE_H_
#define WATERFLOW_CLIENT_CPP_LANE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "client/cpp/clock.h"
#include "client/cpp/row_block.h"
#include "waterflow/v1/metric.pb.h"

namespace waterflow::client {

// Rows of one block, ready to be encoded.
struct Piece {
  uint32_t schema = 0;
  std::shared_ptr<const RowBlock> block;
  size_t from = 0;
  size_t to = 0;
  uint64_t first_row = 0;

  uint64_t end_row() const { return first_row + (to - from); }
};

struct LaneCounts {
  uint64_t rows_appended = 0;
  uint64_t values_appended = 0;
  // Durable on the server.
  uint64_t rows_acked = 0;
  uint64_t values_acked = 0;
  // Of the acked: what the server had before this program sent it.
  uint64_t rows_already_there = 0;
  // Refused by the server for good.
  uint64_t rows_rejected = 0;
};

class Lane {
 public:
  Lane(uint32_t schema, std::vector<v1::Metric> metrics);

  uint32_t schema() const { return schema_; }
  const std::vector<v1::Metric>& metrics() const { return metrics_; }
  uint64_t acked() const { return acked_; }
  uint64_t end() const { return end_; }
  bool drained_to(uint64_t row) const { return acked_ >= row || dead(); }
  const LaneCounts& counts() const { return counts_; }
  // Bytes of the rows that are kept.
  size_t bytes() const { return bytes_; }
  // Why the server can take no rows of this lane; OK while it can.
  const absl::Status& status() const { return status_; }
  bool dead() const { return !status_.ok(); }

  // Returns whether the sender should look: a block began or is full.
  bool Append(const Row& row, size_t block_rows, Clock::time_point now);
  // Makes everything up to now due, whatever its age.
  void Flush() { flush_to_ = end_; }

  // When the next rows are due: at once for full blocks and flushed ones, else
  // when the oldest row that was not sent is `max_age` old. Nothing: no rows.
  std::optional<Clock::time_point> Due(Clock::duration max_age) const;
  // Takes up to `max_rows` rows at the cursor; there must be some.
  Piece Take(size_t max_rows);

  // The server has all rows below `next_row`.
  void Acked(uint64_t next_row);
  // A new session: what is not acked will be sent again.
  void Rewind() { cursor_ = acked_; }
  // These rows count as delivered but were refused.
  void Rejected(uint64_t first_row, uint64_t rows);
  // No row of this lane can ever be delivered: drops them all.
  void Die(absl::Status status);

 private:
  struct Held {
    uint64_t first_row;
    std::shared_ptr<RowBlock> block;
    Clock::time_point since;

    uint64_t end_row() const { return first_row + block->rows(); }
  };

  void CountAnswered(uint64_t first, uint64_t end);
  void DropAnswered();

  const uint32_t schema_;
  const std::vector<v1::Metric> metrics_;
  std::deque<Held> blocks_;
  bool last_is_open_ = false;  // the last block may still grow
  uint64_t acked_ = 0;
  uint64_t cursor_ = 0;
  uint64_t sent_ = 0;  // highest row ever sent, plus one
  uint64_t end_ = 0;
  uint64_t flush_to_ = 0;
  std::map<uint64_t, uint64_t>
      rejected_;  // first row -> end row, not yet acked
  size_t bytes_ = 0;
  LaneCounts counts_;
  absl::Status status_;
};

}  // namespace waterflow::client

#endif  // WATERFLOW_CLIENT_CPP_LANE_H_
