// Following series as they are logged. The meaning of every field is that of
// TailRequest and TailResponse.
#ifndef WATERFLOW_STORAGE_TAIL_H_
#define WATERFLOW_STORAGE_TAIL_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/model/ids.h"
#include "storage/read.h"
#include "storage/selection.h"

namespace waterflow::storage {

struct TailSpec {
  Selection selection;
  uint64_t last_rows = 0;
  std::string resume_token;
};

// Points of one series and attempt, in the order in which they were logged.
struct TailPart {
  SeriesPart series;
  uint32_t attempt = 0;
};

struct TailBatch {
  std::vector<TailPart> parts;
  std::string resume_token;
  // Absent: more is there already.
  std::optional<Position> position;
};

// A subscription. Not thread-safe; must not outlive its engine.
class Tail {
 public:
  virtual ~Tail() = default;

  // What is new since the last call, up to a bound; nothing of it waits for
  // anything but the disk. Absent: nothing is new. The first call always gives
  // a batch. NOT_FOUND once one of the runs is deleted.
  virtual absl::StatusOr<std::optional<TailBatch>> Next() = 0;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_TAIL_H_
