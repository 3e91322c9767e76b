// A generation on disk, as it is known in memory: which runs it holds.
#ifndef WATERFLOW_STORAGE_INGEST_GENERATION_H_
#define WATERFLOW_STORAGE_INGEST_GENERATION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/strings/string_view.h"
#include "storage/model/ids.h"

namespace waterflow::storage {

// Readers hold it by shared_ptr: files of a generation are dropped only once
// the last of them has let go.
struct Generation {
  GenerationId id;
  uint64_t rows = 0;
  absl::btree_set<RunId> runs;  // as it was sealed; deleted ones stay listed

  // meta value: rows varint, run count varint, run ids varint.
  std::string Encode() const;
  static bool Decode(absl::string_view bytes, Generation* generation);
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_INGEST_GENERATION_H_
