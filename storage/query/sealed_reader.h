// Reads what is sealed of one run: axes, chunks and summaries of the
// generations in a snapshot. Axes are read once and kept, for all metrics of a
// question share them.
#ifndef WATERFLOW_STORAGE_QUERY_SEALED_READER_H_
#define WATERFLOW_STORAGE_QUERY_SEALED_READER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/database/database.h"
#include "storage/format/axis.h"
#include "storage/format/block.h"
#include "storage/format/summary.h"
#include "storage/ingest/generation.h"
#include "storage/model/ids.h"

namespace waterflow::storage {

// The rows of one worker block: its axis and where its chunks are.
struct SealedRows {
  GenerationId generation;
  uint32_t worker_block = 0;
  AxisBlock axis;
};

class SealedReader {
 public:
  SealedReader(const Database* database, RunId run,
               std::vector<std::shared_ptr<const Generation>> generations)
      : database_(database), run_(run), generations_(std::move(generations)) {}

  // Worker blocks of a schema, oldest generation first, each in worker order.
  // The pointer stays good as long as the reader.
  absl::StatusOr<const std::vector<SealedRows>*> Rows(SchemaId schema);

  // The block that holds `column` of these rows, and the column's place in it.
  absl::StatusOr<Block> ReadBlock(SchemaId schema, const SealedRows& rows,
                                  uint32_t column, uint32_t* metric) const;

  // The summaries that hold `column` of these rows, and the column's place.
  absl::StatusOr<SummaryBlock> ReadSummaries(SchemaId schema,
                                             const SealedRows& rows,
                                             uint32_t column,
                                             uint32_t* metric) const;

 private:
  const Database* const database_;
  const RunId run_;
  const std::vector<std::shared_ptr<const Generation>> generations_;
  absl::flat_hash_map<SchemaId, std::unique_ptr<std::vector<SealedRows>>> rows_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_SEALED_READER_H_
