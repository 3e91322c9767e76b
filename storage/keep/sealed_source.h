// The strips of one schema of a run out of several generations, joined: strips
// of one worker that continue each other become one, as far as they share
// attempt and presence of step and time and fit into a chunk. Old strips are
// never cut.
#ifndef WATERFLOW_STORAGE_KEEP_SEALED_SOURCE_H_
#define WATERFLOW_STORAGE_KEEP_SEALED_SOURCE_H_

#include <rocksdb/options.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/database/database.h"
#include "storage/format/axis.h"
#include "storage/format/block.h"
#include "storage/ingest/strip_source.h"
#include "storage/model/ids.h"

namespace waterflow::storage {

// Which generations hold rows of a run's schema, in the order given.
using SealedTables =
    absl::btree_map<std::pair<RunId, SchemaId>, std::vector<GenerationId>>;
absl::StatusOr<SealedTables> ListTables(
    const Database& database, const rocksdb::ReadOptions& options,
    absl::Span<const GenerationId> generations);

class SealedSource : public StripSource {
 public:
  // `generations` are oldest first. The database must outlive it. DATA_LOSS
  // names the key that cannot be read.
  static absl::StatusOr<std::unique_ptr<SealedSource>> Load(
      const Database* database, const rocksdb::ReadOptions& options,
      absl::Span<const GenerationId> generations, RunId run, SchemaId schema);

  uint32_t metric_count() const override { return metric_count_; }
  absl::Span<const Strip> strips() const override { return strips_; }
  uint32_t metrics_at_once() const override;
  absl::Status Read(size_t strip, uint32_t first_metric, uint32_t count,
                    StripColumns* out) override;

 private:
  // An old strip and where it stands.
  struct Piece {
    Strip strip;
    GenerationId generation;
    uint32_t worker_block = 0;
    uint32_t index = 0;  // in the worker block
  };

  struct Axis {
    AxisBlock block;
    std::string times;          // the value, where it is one of its own
    absl::string_view columns;  // in it
  };

  SealedSource(const Database* database, const rocksdb::ReadOptions& options,
               RunId run, SchemaId schema)
      : database_(database), options_(options), run_(run), schema_(schema) {}

  absl::Status LoadPieces(GenerationId generation);
  void Join();
  absl::StatusOr<const Axis*> AxisOf(const Piece& piece);
  // The block whose tile begins with this metric. Good until the next call.
  absl::StatusOr<const Block*> BlockOf(const Piece& piece,
                                       uint32_t first_metric);
  absl::StatusOr<std::string> Get(Family family, absl::string_view key) const;
  absl::Status ReadAxis(absl::Span<const Piece> pieces, StripColumns* out);
  // Keeps what was read within bounds.
  void MakeRoom(size_t bytes);

  const Database* const database_;
  const rocksdb::ReadOptions options_;
  const RunId run_;
  const SchemaId schema_;
  uint32_t metric_count_ = 0;

  std::vector<Piece> pieces_;
  std::vector<Strip> strips_;
  std::vector<size_t> first_piece_;  // of each strip, and the end of the last

  // What was read lately: neighbouring strips lie in the same old blocks.
  std::map<std::pair<GenerationId, uint32_t>, Axis> axes_;
  std::map<std::tuple<GenerationId, uint32_t, uint32_t>, Block> blocks_;
  size_t cached_bytes_ = 0;
  ChunkValues chunk_;
  std::vector<int64_t> column_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_KEEP_SEALED_SOURCE_H_
