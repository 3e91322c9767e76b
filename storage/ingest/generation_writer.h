// From heads to a generation: encodes everything of an Unsealed into one file
// each of axes, blocks and summaries, and hands the files to RocksDB. Until the
// seal's commit names the generation, nobody looks at it.
#ifndef WATERFLOW_STORAGE_INGEST_GENERATION_WRITER_H_
#define WATERFLOW_STORAGE_INGEST_GENERATION_WRITER_H_

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/database/database.h"
#include "storage/format/block.h"
#include "storage/ingest/generation.h"
#include "storage/ingest/strip_builder.h"
#include "storage/ingest/unsealed.h"

namespace rocksdb {
class SstFileWriter;
}

namespace waterflow::storage {

class GenerationWriter {
 public:
  GenerationWriter(Database* database, GenerationId generation);
  // Removes files that were not ingested.
  ~GenerationWriter();

  // RESOURCE_EXHAUSTED when the disk is full; nothing is left behind then.
  absl::StatusOr<Generation> Write(const Unsealed& unsealed);

 private:
  using KeyValue = std::pair<std::string, std::string>;
  // Strips of some neighbouring workers, and what it takes to read them.
  struct WorkerBlock {
    std::vector<std::pair<const StripPlan*, size_t>> strips;  // plan, worker
    uint64_t rows = 0;
  };

  absl::Status WriteTable(RunId run, SchemaId schema, const HeadTable& table);
  absl::Status WriteBlock(RunId run, SchemaId schema, uint32_t block_number,
                          const WorkerBlock& block,
                          absl::Span<const std::vector<HeadBatchView>> heads,
                          std::vector<class SummaryBuilder>* summaries,
                          std::vector<KeyValue>* blocks);
  absl::Status Put(Family family, absl::string_view key,
                   absl::string_view value);
  absl::Status Finish();

  Database* const database_;
  const GenerationId generation_;
  std::array<std::string, 3> paths_;
  std::array<std::unique_ptr<rocksdb::SstFileWriter>, 3> files_;
  StripColumns columns_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_INGEST_GENERATION_WRITER_H_
