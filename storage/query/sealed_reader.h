// Reads what is sealed of one run: axes, chunks and summaries of the
// generations in a snapshot. Axes are read once and kept, for all metrics of a
// question share them.
#ifndef WATERFLOW_STORAGE_QUERY_SEALED_READER_H_
#define WATERFLOW_STORAGE_QUERY_SEALED_READER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
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

  // Where a column of these rows lies.
  struct Place {
    SchemaId schema;
    const SealedRows* rows = nullptr;
    uint32_t column = 0;

    uint32_t metric() const { return column % rows->axis.metrics_per_tile(); }
  };
  // The block that holds the column. Good until the next call: what was read
  // lately is kept, for neighbouring workers and metrics share it.
  absl::StatusOr<const Block*> ReadBlock(const Place& place);

  // The summaries that hold the column; there are some, HasSummaries().
  absl::StatusOr<const SummaryBlock*> ReadSummaries(const Place& place);
  // Adds the spans of the column's strips, if they are not there yet.
  absl::Status ReadSpans(const Place& place, const SummaryBlock& block,
                         std::vector<StripSummary>* strips) const;

  // The times of a strip of these rows.
  absl::Status ReadTimes(SchemaId schema, const SealedRows& rows, size_t strip,
                         std::vector<int64_t>* times_ns);

 private:
  // Generation, schema, worker block, first metric of the tile.
  using TileId = std::tuple<GenerationId, SchemaId, uint32_t, uint32_t>;
  template <typename T>
  using Cache = absl::flat_hash_map<TileId, std::unique_ptr<const T>>;

  // A value of times and the columns in it.
  struct Times {
    SharedBytes bytes;
    absl::string_view columns;
  };

  // Makes sure that what is kept stays within bounds.
  void MakeRoom(size_t bytes);
  template <typename T>
  absl::StatusOr<const T*> ReadTile(Family family, absl::string_view name,
                                    const Place& place, Cache<T>* cache);

  const Database* const database_;
  const RunId run_;
  const std::vector<std::shared_ptr<const Generation>> generations_;
  absl::flat_hash_map<SchemaId, std::unique_ptr<std::vector<SealedRows>>> rows_;
  Cache<Block> blocks_;
  Cache<SummaryBlock> summaries_;
  // By their rows, unless these hold them.
  absl::flat_hash_map<const SealedRows*, Times> times_;
  size_t cached_bytes_ = 0;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_SEALED_READER_H_
