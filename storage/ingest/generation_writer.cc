#include "storage/ingest/generation_writer.h"

#include <rocksdb/sst_file_writer.h>

#include <algorithm>
#include <bit>

#include "absl/strings/str_cat.h"
#include "storage/format/axis.h"
#include "storage/format/keys.h"
#include "storage/format/summary.h"

namespace waterflow::storage {
namespace {

// A worker block's values of one metric before they are encoded. Chunks shrink
// to a quarter or less, so a block lands between 32 and 256 KiB.
constexpr uint64_t kBlockRows = (256 << 10) / sizeof(double);
// Where a metric alone gives less, up to 32 neighbours share a block.
constexpr uint64_t kTileRows = (64 << 10) / sizeof(double);
constexpr uint32_t kMaxTileMetrics = 32;
// A strip in memory, over all metrics of its schema.
constexpr uint32_t kStripValues = 1 << 20;

uint32_t TileMetrics(uint64_t rows) {
  uint32_t metrics = 1;
  while (metrics < kMaxTileMetrics && metrics * rows < kTileRows) metrics *= 2;
  return metrics;
}

size_t IndexOf(Family family) {
  return std::find(kGenerationFamilies.begin(), kGenerationFamilies.end(),
                   family) -
         kGenerationFamilies.begin();
}

}  // namespace

GenerationWriter::GenerationWriter(Database* database, GenerationId generation)
    : database_(database), generation_(generation) {}

GenerationWriter::~GenerationWriter() {
  files_ = {};
  for (const std::string& path : paths_) {
    // Ingested files are moved away; what is still there is not needed.
    if (!path.empty()) {
      database_->db()->GetEnv()->DeleteFile(path).PermitUncheckedError();
    }
  }
}

absl::StatusOr<Generation> GenerationWriter::Write(const Unsealed& unsealed) {
  Generation generation{.id = generation_, .rows = unsealed.rows, .runs = {}};
  for (size_t i = 0; i < kGenerationFamilies.size(); ++i) {
    paths_[i] = absl::StrCat(database_->path(), "/seal-", generation_.value,
                             "-", i, ".tmp");
    files_[i] = std::make_unique<rocksdb::SstFileWriter>(
        rocksdb::EnvOptions(), database_->FileOptions(kGenerationFamilies[i]));
    const rocksdb::Status opened = files_[i]->Open(paths_[i]);
    if (!opened.ok()) return ToStatus(opened, paths_[i]);
  }
  for (const auto& [key, table] : unsealed.tables) {
    const auto& [run, schema] = key;
    generation.runs.insert(run);
    if (absl::Status s = WriteTable(run, schema, table); !s.ok()) return s;
  }
  if (absl::Status s = Finish(); !s.ok()) return s;
  return generation;
}

absl::Status GenerationWriter::WriteTable(RunId run, SchemaId schema,
                                          const HeadTable& table) {
  const size_t metric_count = table.schema->metrics.size();
  const uint32_t strip_rows = std::clamp<uint32_t>(
      kStripValues / static_cast<uint32_t>(metric_count), 64, kMaxStripRows);
  std::vector<std::vector<HeadBatchView>> heads;
  std::vector<std::vector<StripPlan>> plans;
  for (const auto& [worker, head] : table.heads) {
    heads.emplace_back(head->batches.begin(), head->batches.end());
    PlanStrips(worker, head->first_row, heads.back(), strip_rows,
               &plans.emplace_back());
  }
  std::vector<WorkerBlock> worker_blocks;
  for (size_t w = 0; w < plans.size(); ++w) {
    for (const StripPlan& plan : plans[w]) {
      if (worker_blocks.empty() ||
          worker_blocks.back().rows + plan.strip.rows > kBlockRows ||
          worker_blocks.back().strips.size() == kMaxBlockStrips) {
        worker_blocks.emplace_back();
      }
      worker_blocks.back().strips.emplace_back(&plan, w);
      worker_blocks.back().rows += plan.strip.rows;
    }
  }
  std::vector<SummaryBuilder> summaries(metric_count);
  std::vector<KeyValue> blocks;
  for (uint32_t b = 0; b < worker_blocks.size(); ++b) {
    if (absl::Status s = WriteBlock(run, schema, b, worker_blocks[b], heads,
                                    &summaries, &blocks);
        !s.ok()) {
      return s;
    }
  }
  // They were made worker block by worker block; keys go tile by tile.
  std::sort(blocks.begin(), blocks.end());
  for (const auto& [key, value] : blocks) {
    if (absl::Status s = Put(Family::kBlocks, key, value); !s.ok()) return s;
  }
  for (uint32_t m = 0; m < metric_count; ++m) {
    if (absl::Status s =
            Put(Family::kSummaries, SummaryKey(generation_, run, schema, m),
                std::move(summaries[m]).Build());
        !s.ok()) {
      return s;
    }
  }
  return absl::OkStatus();
}

absl::Status GenerationWriter::WriteBlock(
    RunId run, SchemaId schema, uint32_t block_number,
    const WorkerBlock& worker_block,
    absl::Span<const std::vector<HeadBatchView>> heads,
    std::vector<SummaryBuilder>* summaries, std::vector<KeyValue>* blocks) {
  const uint32_t metric_count = static_cast<uint32_t>(summaries->size());
  const uint32_t tile_metrics = TileMetrics(worker_block.rows);
  AxisBuilder axis(tile_metrics);
  std::vector<MetricChunks> chunks(metric_count);
  StripReader reader(metric_count);
  for (const auto& [plan, worker] : worker_block.strips) {
    if (absl::Status s = reader.Read(*plan, heads[worker], &columns_);
        !s.ok()) {
      return s;
    }
    axis.Add(plan->strip, columns_.steps, columns_.times_ns);
    for (uint32_t m = 0; m < metric_count; ++m) {
      chunks[m].Add(columns_.metrics[m]);
      (*summaries)[m].Add(Summarize(columns_.metrics[m]));
    }
  }
  for (uint32_t m = 0; m < metric_count; m += tile_metrics) {
    const uint32_t count = std::min(tile_metrics, metric_count - m);
    blocks->emplace_back(BlockKey(generation_, run, schema, m, block_number),
                         BuildBlock(absl::MakeSpan(chunks).subspan(m, count)));
  }
  return Put(Family::kAxis, AxisKey(generation_, run, schema, block_number),
             std::move(axis).Build());
}

absl::Status GenerationWriter::Put(Family family, absl::string_view key,
                                   absl::string_view value) {
  return ToStatus(files_[IndexOf(family)]->Put(ToSlice(key), ToSlice(value)),
                  "write a generation");
}

absl::Status GenerationWriter::Finish() {
  for (auto& file : files_) {
    if (absl::Status s = ToStatus(file->Finish(), "finish a generation");
        !s.ok()) {
      return s;
    }
  }
  database_->Reach("seal:after_files");
  return database_->Ingest(paths_);
}

}  // namespace waterflow::storage
