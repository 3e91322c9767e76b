// The log: committed groups in order, each at a position. What is in it is
// what was promised; heads, lanes and the catalog follow from it.
//
// An interface, so that another carrier of the same groups (a replicated log)
// can take the place of the one in RocksDB (database_log.h). A position is
// opaque and ordered within one log; who reads goes by positions alone.
//
// One thread appends. Trim may come from another.
#ifndef WATERFLOW_STORAGE_INGEST_LOG_H_
#define WATERFLOW_STORAGE_INGEST_LOG_H_

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "storage/model/ids.h"

namespace waterflow::storage {

class Log {
 public:
  virtual ~Log() = default;

  // Hands every group above `after` to `visit`, in order. Stops at the first
  // error and returns it as DATA_LOSS that names the group. Returns the last
  // position there is (`after` when there is none), from which the first Append
  // goes on: to be called once, before it.
  using Visitor =
      absl::FunctionRef<absl::Status(Position position, absl::string_view)>;
  virtual absl::StatusOr<Position> Replay(Position after, Visitor visit) = 0;

  // Appends one group, given in pieces, and returns its position once the
  // store's sync policy holds. All of it is there afterwards or, on an error,
  // nothing. RESOURCE_EXHAUSTED: not now; the caller keeps it and tries again.
  virtual absl::StatusOr<Position> Append(
      absl::Span<const absl::string_view> pieces) = 0;

  // A hint: nobody will ask for groups up to `position` again.
  virtual void Trim(Position position) = 0;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_INGEST_LOG_H_
