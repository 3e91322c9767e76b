// Heads: the batches of one worker and schema that are in the log and not yet
// sealed, as they came. A head costs what its batches cost, and little more.
#ifndef WATERFLOW_STORAGE_INGEST_HEAD_H_
#define WATERFLOW_STORAGE_INGEST_HEAD_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "storage/catalog/run_state.h"
#include "storage/ingest_backend.h"
#include "storage/model/ids.h"

namespace waterflow::storage {

// A batch in a head; it owns the bytes.
struct HeadBatch {
  BatchBody body;
  int64_t received_ns = 0;
  uint32_t rows = 0;
  uint32_t skip = 0;  // rows at its front that were stored before
  uint32_t attempt = 1;
  bool has_step = false;
  bool has_time = false;
};

// The same without the bytes, for readers.
struct HeadBatchView {
  absl::string_view body;
  int64_t received_ns = 0;
  uint32_t rows = 0;
  uint32_t skip = 0;
  uint32_t attempt = 1;
  bool has_step = false;
  bool has_time = false;

  explicit HeadBatchView(const HeadBatch& batch)
      : body(batch.body.view()),
        received_ns(batch.received_ns),
        rows(batch.rows),
        skip(batch.skip),
        attempt(batch.attempt),
        has_step(batch.has_step),
        has_time(batch.has_time) {}
};

struct Head {
  WorkerId worker;
  uint64_t first_row = 0;  // row index of the first row here
  uint64_t end_row = 0;    // and of the one that comes next
  std::vector<HeadBatch> batches;
};

// The heads of one schema, by worker. Heads keep their address.
struct HeadTable {
  std::shared_ptr<const SchemaState> schema;
  absl::btree_map<WorkerId, std::unique_ptr<Head>> heads;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_INGEST_HEAD_H_
