// Keys of every column family, big-endian so that they sort as numbers do.
//
//   log        group u64
//   axis       generation u32, run u32, schema u32, worker block u32
//   blocks     generation u32, run u32, schema u32, worker block u32, first
//              metric of the tile u32: a block; with one more byte, 1, the
//              spans of the same tile; with the metric 2^32 - 1 the times
//   summaries  as blocks, without spans and times
//   meta       text: "format_version", "sealed_position", and "generation"
//              followed by the generation u32
//   catalog    a letter for the kind, then ids; see CatalogKind
//
// The generation comes first so that a seal's files never overlap older ones:
// RocksDB's compaction has nothing to rewrite and a generation is dropped by
// dropping its files. The worker block comes before the tile so that a
// generation of any size is written front to back. "metric" is a position in
// the schema. What a question may do without (values, times, spans) lies in
// one family and what it begins with (axes, summaries) in others, so that the
// latter are read without the former.
#ifndef WATERFLOW_STORAGE_FORMAT_KEYS_H_
#define WATERFLOW_STORAGE_FORMAT_KEYS_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "storage/model/ids.h"

namespace waterflow::storage {

// Raised by any change of a layout in this folder that an older build could
// misread. docs/format.md tells the history.
inline constexpr uint32_t kFormatVersion = 2;
// The oldest that is still read. Its generations keep their bytes until they
// are merged.
inline constexpr uint32_t kOldestFormatVersion = 1;
inline constexpr bool ReadsFormatVersion(uint32_t version) {
  return kOldestFormatVersion <= version && version <= kFormatVersion;
}

inline constexpr absl::string_view kMetaFormatVersion = "format_version";
inline constexpr absl::string_view kMetaSealedPosition = "sealed_position";
inline constexpr absl::string_view kMetaGeneration = "generation";

std::string LogKey(Position position);
std::string MetaGenerationKey(GenerationId generation);

// All keys of a generation, of a run in it, of a schema in that: from the
// prefix up to (without) the prefix that follows.
std::string GenerationPrefix(GenerationId generation);
std::string RunPrefix(GenerationId generation, RunId run);
std::string SchemaPrefix(GenerationId generation, RunId run, SchemaId schema);
std::string AxisKey(GenerationId generation, RunId run, SchemaId schema,
                    uint32_t worker_block);
// Of a block, and of its summaries.
std::string TileKey(GenerationId generation, RunId run, SchemaId schema,
                    uint32_t worker_block, uint32_t first_metric);

// Of the spans of a tile's summaries, and of the times of a worker block.
std::string SpansKey(GenerationId generation, RunId run, SchemaId schema,
                     uint32_t worker_block, uint32_t first_metric);
std::string TimesKey(GenerationId generation, RunId run, SchemaId schema,
                     uint32_t worker_block);

// The smallest key greater than all that begin with `prefix`.
std::string PrefixEnd(absl::string_view prefix);

// What a catalog key is about. All kinds from kWorker to kLost have the run
// right behind the letter.
enum class CatalogKind : char {
  kProject = 'P',     // project u32
  kRun = 'R',         // run u32
  kMetricName = 'M',  // metric u32
  kTombstone = 'T',   // uuid of a deleted run, 16 bytes
  kRequest = 'Q',     // request id of a Write
  kWorker = 'W',      // run u32, worker u32
  kSchema = 'S',      // run u32, schema u32
  kMetadata = 'D',    // run u32, metric u32
  kAttempt = 'A',     // run u32, attempt u32
  kLane = 'L',        // run u32, worker u32, stream 16 bytes, schema number u32
  kRowCount = 'C',    // run u32, schema u32, worker u32
  kLost = 'X',        // run u32, counter u32
};
// The kinds whose keys go with their run.
inline constexpr CatalogKind kKindsOfRun[] = {
    CatalogKind::kRun,      CatalogKind::kWorker,  CatalogKind::kSchema,
    CatalogKind::kMetadata, CatalogKind::kAttempt, CatalogKind::kLane,
    CatalogKind::kRowCount, CatalogKind::kLost};

std::string CatalogKey(CatalogKind kind, uint32_t id);
std::string CatalogKey(CatalogKind kind, uint32_t first, uint32_t second);
std::string CatalogKey(CatalogKind kind, absl::string_view raw);
std::string RowCountKey(RunId run, SchemaId schema, WorkerId worker);
// All lanes of one stream of a worker; LaneKey adds the stream's schema number.
std::string LanePrefix(RunId run, WorkerId worker, const Uuid& stream);
std::string LaneKey(RunId run, WorkerId worker, const Uuid& stream,
                    uint32_t schema_number);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_FORMAT_KEYS_H_
