// Which generations to join next: a pure function of their shapes.
//
// Neighbours of small chunks are joined, `fan_in` of a level into one of the
// next, until chunks are full. So each byte is rewritten at most once a level:
// ceil(log8(kFullChunkRows / rows that a series has in a seal)) times, and
// never more than `max_level` times. Between generations that are full, at most
// fan_in - 1 of each level are left.
//
// A generation with dead rows is written anew, alone, or dropped when all of
// them are: a delete gives its bytes back soon, and runs that are deleted
// meanwhile go with the next one.
#ifndef WATERFLOW_STORAGE_KEEP_MERGE_PLAN_H_
#define WATERFLOW_STORAGE_KEEP_MERGE_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/types/span.h"

namespace waterflow::storage {

struct MergePolicy {
  uint32_t fan_in = 8;  // 0: nothing is ever merged
  // Chunks of so many rows on average are full: a longer one would save a
  // reader little, and its codec nothing.
  uint64_t full_chunk_rows = 256;
  // Where chunks never fill (a run of one point), this ends it.
  uint32_t max_level = 4;
  // A merge needs as much free disk again, and a while: fewer than fan_in are
  // joined when they would give more than this.
  uint64_t max_bytes = uint64_t{1} << 30;
};

struct GenerationShape {
  uint32_t level = 0;
  uint64_t rows = 0;
  uint64_t dead_rows = 0;  // of runs that were deleted
  uint64_t strips = 0;
  uint64_t bytes = 0;
  bool fixed = false;  // must stay as it is
};

// Neighbours [begin, end) become one of `level`.
struct MergeChoice {
  size_t begin = 0;
  size_t end = 0;
  uint32_t level = 0;

  friend bool operator==(const MergeChoice&, const MergeChoice&) = default;
};

bool IsFull(const GenerationShape& shape, const MergePolicy& policy);

// What has come due; `generations` are oldest first.
std::optional<MergeChoice> PlanMerge(
    absl::Span<const GenerationShape> generations, const MergePolicy& policy);

// For a store that shall come to rest: joins what is left over as long as
// nothing large is rewritten for little. What remains falls by a factor of four
// or more from each small generation to the next.
std::optional<MergeChoice> PlanSettle(
    absl::Span<const GenerationShape> generations, const MergePolicy& policy);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_KEEP_MERGE_PLAN_H_
