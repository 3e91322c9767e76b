// Consecutive batches of a lane as one: a worker that logs a row at a time
// costs its server a message for each, a relay sends one for all that came
// meanwhile. Values are moved, never looked at.
#ifndef WATERFLOW_STORAGE_RELAY_BATCH_JOIN_H_
#define WATERFLOW_STORAGE_RELAY_BATCH_JOIN_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "storage/format/batch.h"

namespace waterflow::storage {

// Rows [from, to) of a batch that was checked. Views into `body`.
struct BatchRows {
  absl::string_view body;
  BatchView view;
  uint32_t from = 0;
  uint32_t to = 0;
  // Of rows that have no time: when the relay received them.
  int64_t received_ns = 0;

  uint64_t first_row() const { return view.first_row + from; }
  uint64_t end_row() const { return view.first_row + to; }
  uint32_t rows() const { return to - from; }
  // What they will take in a message, about.
  uint64_t bytes() const;
};

// Whether `next` can be joined to `last`: its rows follow, it has steps if
// those have, and the same columns, dense or sparse alike.
bool CanJoin(const BatchRows& last, const BatchRows& next);

// The bytes of one Batch with all these rows, each of which can be joined to
// the one before. Rows without a time get that of their receipt: the upstream
// would stamp them when the relay reaches it, which may be hours later.
std::string JoinBatches(absl::Span<const BatchRows> parts);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_RELAY_BATCH_JOIN_H_
