// A piece of a stream's backlog, read from the log to be sent upstream, and the
// messages that it becomes.
#ifndef WATERFLOW_STORAGE_RELAY_RELAY_WINDOW_H_
#define WATERFLOW_STORAGE_RELAY_RELAY_WINDOW_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "storage/relay/batch_join.h"
#include "storage/relay/relay_record.h"

namespace waterflow::storage {

// Rows [from, to) of a batch that go upstream together, or some that were
// refused and count as delivered. Small, whatever the batch has of columns: a
// window may hold thousands.
struct RelayPiece {
  absl::string_view body;  // empty: refused
  uint64_t batch_first_row = 0;
  uint32_t batch_rows = 0;
  uint32_t from = 0;
  uint32_t to = 0;
  int64_t received_ns = 0;

  bool refused() const { return body.empty(); }
  uint64_t first_row() const { return batch_first_row + from; }
  uint64_t end_row() const { return batch_first_row + to; }
};

// Consecutive entries of one stream. An opening or a loss is a window of its
// own.
class RelayWindow {
 public:
  enum class Kind { kRows, kOpening, kLost };

  // Adds the next entry; false: it begins another window, nothing was added.
  // DATA_LOSS when it cannot be read.
  absl::StatusOr<bool> Add(uint64_t position, std::string entry);

  Kind kind() const { return kind_; }
  // Of kOpening.
  const RelayOpening& opening() const { return opening_; }
  // Per schema: the row behind the window's last one.
  const std::map<uint32_t, uint64_t>& ends() const { return ends_; }
  // Per schema, in order.
  const std::map<uint32_t, std::vector<RelayPiece>>& lanes() const {
    return lanes_;
  }
  const std::vector<uint64_t>& positions() const { return positions_; }
  bool empty() const { return positions_.empty(); }
  // As RelayMark counts them.
  uint64_t bytes() const { return bytes_; }
  uint64_t rows() const { return rows_; }

 private:
  absl::Status AddRecord(const RelayRecord& record);

  Kind kind_ = Kind::kRows;
  RelayOpening opening_;
  std::map<uint32_t, uint64_t> ends_;
  std::map<uint32_t, std::vector<RelayPiece>> lanes_;
  std::vector<uint64_t> positions_;
  std::deque<std::string> entries_;  // the pieces are views into them
  uint64_t bytes_ = 0;
  uint64_t rows_ = 0;
  BatchView view_;  // of the batch at hand
};

// One message to the upstream.
struct RelayMessage {
  uint32_t schema = 0;
  uint64_t first_row = 0;
  uint64_t end_row = 0;
  // These rows were refused when they came. The batch is one of so many rows
  // that the upstream refuses too: its lane moves over them as ours did.
  bool refused = false;
  std::string batch;  // a waterflow.v1.Batch
};

struct RelayMessageLimits {
  uint64_t bytes = 1 << 20;       // how large a message should be
  uint64_t most_bytes = 1 << 20;  // and may be, unless it is a single row
  uint32_t rows = 1;
};

// Cuts a window into messages. The window must outlive it.
class RelayMessages {
 public:
  explicit RelayMessages(const RelayWindow& window);

  // The upstream has these rows: they are not sent.
  void SkipBelow(uint32_t schema, uint64_t next_row);
  // The upstream takes nothing of this schema.
  void SkipLane(uint32_t schema) { lanes_.erase(schema); }
  // Of the next message; nothing at the end.
  std::optional<uint32_t> NextSchema() const;
  std::optional<RelayMessage> Next(const RelayMessageLimits& limits);

 private:
  std::map<uint32_t, std::deque<RelayPiece>> lanes_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_RELAY_RELAY_WINDOW_H_
