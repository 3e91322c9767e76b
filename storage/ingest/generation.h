// A generation on disk, as it is known in memory: which runs it holds.
#ifndef WATERFLOW_STORAGE_INGEST_GENERATION_H_
#define WATERFLOW_STORAGE_INGEST_GENERATION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/string_view.h"
#include "storage/model/ids.h"

namespace waterflow::storage {

// Readers hold it by shared_ptr: files of a generation are dropped only once
// the last of them has let go.
struct Generation {
  GenerationId id;
  // Its place among the others: the id of the oldest sealed generation in it.
  // Merging joins neighbours, so those of two generations never interleave.
  GenerationId first;
  uint32_t level = 0;  // 0: sealed; n: merged out of some of level n - 1
  uint64_t rows = 0;
  uint64_t strips = 0;  // over all schemas and workers: rows / strips is how
                        // full its chunks are
  uint64_t bytes = 0;   // of its files
  // Rows of each run in it; deleted ones stay listed.
  absl::btree_map<RunId, uint64_t> runs;

  // meta value: first, level, rows, strips, bytes, run count varints, then
  // run id, rows varints.
  std::string Encode() const;
  static bool Decode(absl::string_view bytes, Generation* generation);
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_INGEST_GENERATION_H_
