// How far a subscription has come, as bytes that a client hands back: opaque to
// it, good at this server also after a restart.
#ifndef WATERFLOW_STORAGE_QUERY_TAIL_TOKEN_H_
#define WATERFLOW_STORAGE_QUERY_TAIL_TOKEN_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/model/ids.h"
#include "storage/selection.h"

namespace waterflow::storage {

// Of each worker and schema of a run, the index of the row that comes next;
// those that are at 0 may be left out. A row keeps its index when it is sealed
// and merged.
struct TailCursor {
  using NextRows = absl::btree_map<std::pair<SchemaId, WorkerId>, uint64_t>;
  Uuid run;
  NextRows next_rows;
};

// A number for what a subscription asks, the same in every process.
uint64_t TailQuestion(const Selection& selection);

// Appends a run at a time between the two ends of a token.
class TailTokenBuilder {
 public:
  explicit TailTokenBuilder(uint64_t question);
  void Add(const Uuid& run, const TailCursor::NextRows& next_rows);
  std::string Build() &&;

 private:
  std::string bytes_;
};

// INVALID_ARGUMENT when it is none, or one of another question.
absl::StatusOr<std::vector<TailCursor>> DecodeTailToken(absl::string_view token,
                                                        uint64_t question);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_TAIL_TOKEN_H_
