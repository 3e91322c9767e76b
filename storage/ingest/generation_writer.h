// From strips to a generation: encodes them into one file each of axes, blocks
// and summaries, front to back, and hands the files to RocksDB. Until a commit
// names the generation in meta, nobody looks at it.
//
//   GenerationWriter writer(database, id, "seal");
//   for (each run and schema, in order) writer.Add(run, schema, &source);
//   writer.Finish(); writer.Ingest();
//
// Memory: the encoded chunks of one worker block and of as many metrics as the
// source reads at once.
#ifndef WATERFLOW_STORAGE_INGEST_GENERATION_WRITER_H_
#define WATERFLOW_STORAGE_INGEST_GENERATION_WRITER_H_

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "storage/database/database.h"
#include "storage/ingest/generation.h"
#include "storage/ingest/strip_source.h"

namespace rocksdb {
class SstFileWriter;
}

namespace waterflow::storage {

class GenerationWriter {
 public:
  // `purpose` names the files while they are written: PURPOSE-id-n.tmp.
  GenerationWriter(Database* database, GenerationId generation,
                   absl::string_view purpose);
  // Removes files that were not ingested.
  ~GenerationWriter();

  // Runs ascend, and a run's schemas. RESOURCE_EXHAUSTED when the disk is full.
  absl::Status Add(RunId run, SchemaId schema, StripSource* source);
  // Closes the files.
  absl::Status Finish();
  absl::Status Ingest();

  bool empty() const { return written_.strips == 0; }
  // What was written; its bytes are known after Finish.
  const Generation& written() const { return written_; }

 private:
  struct Table {
    RunId run;
    SchemaId schema;
    StripSource* source;
  };
  // Strips [begin, end) of a table, neighbouring workers.
  struct WorkerBlock {
    uint32_t number = 0;
    size_t begin = 0;
    size_t end = 0;
    uint64_t rows = 0;
  };

  absl::Status Open();
  absl::Status WriteBlock(const Table& table, const WorkerBlock& block);
  absl::Status Put(Family family, absl::string_view key,
                   absl::string_view value);

  Database* const database_;
  const std::string purpose_;
  Generation written_;
  std::array<std::string, 3> paths_;
  std::array<std::unique_ptr<rocksdb::SstFileWriter>, 3> files_;
  std::array<uint64_t, 3> entries_{};
  StripColumns columns_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_INGEST_GENERATION_WRITER_H_
