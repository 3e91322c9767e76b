#include "storage/ingest/generation_writer.h"

#include <rocksdb/sst_file_writer.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "storage/format/axis.h"
#include "storage/format/block.h"
#include "storage/format/keys.h"
#include "storage/format/summary.h"

namespace waterflow::storage {
namespace {

// A worker block's values of one metric before they are encoded. Chunks shrink
// to a quarter or less, so a block lands between 32 and 256 KiB.
constexpr uint64_t kBlockRows = (256 << 10) / sizeof(double);
// Where a metric alone gives less, neighbours share a block: few rows of many
// metrics may not become many tiny values.
constexpr uint64_t kTileRows = (64 << 10) / sizeof(double);
constexpr uint32_t kMaxTileMetrics = 1024;

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

GenerationWriter::GenerationWriter(Database* database, GenerationId generation,
                                   absl::string_view purpose)
    : database_(database), purpose_(purpose) {
  written_.id = written_.first = generation;
}

GenerationWriter::~GenerationWriter() {
  files_ = {};
  for (const std::string& path : paths_) {
    // Ingested files are moved away; what is still there is not needed.
    if (!path.empty()) {
      database_->db()->GetEnv()->DeleteFile(path).PermitUncheckedError();
    }
  }
}

absl::Status GenerationWriter::Open() {
  for (size_t i = 0; i < kGenerationFamilies.size(); ++i) {
    paths_[i] = absl::StrCat(database_->path(), "/", purpose_, "-",
                             written_.id.value, "-", i, ".tmp");
    files_[i] = std::make_unique<rocksdb::SstFileWriter>(
        rocksdb::EnvOptions(), database_->FileOptions(kGenerationFamilies[i]));
    const rocksdb::Status opened = files_[i]->Open(paths_[i]);
    if (!opened.ok()) return ToStatus(opened, paths_[i]);
  }
  return absl::OkStatus();
}

absl::Status GenerationWriter::Add(RunId run, SchemaId schema,
                                   StripSource* source) {
  const absl::Span<const Strip> strips = source->strips();
  if (strips.empty()) return absl::OkStatus();
  if (empty()) {
    if (absl::Status s = Open(); !s.ok()) return s;
  }
  const Table table{run, schema, source};
  WorkerBlock block;
  for (size_t i = 0; i < strips.size(); ++i) {
    if (block.end > block.begin && (block.rows + strips[i].rows > kBlockRows ||
                                    i - block.begin == kMaxBlockStrips)) {
      if (absl::Status s = WriteBlock(table, block); !s.ok()) return s;
      block = {.number = block.number + 1, .begin = i};
    }
    block.end = i + 1;
    block.rows += strips[i].rows;
  }
  if (absl::Status s = WriteBlock(table, block); !s.ok()) return s;
  return absl::OkStatus();
}

absl::Status GenerationWriter::WriteBlock(const Table& table,
                                          const WorkerBlock& block) {
  StripSource& source = *table.source;
  const uint32_t metric_count = source.metric_count();
  const uint32_t tile_metrics = TileMetrics(block.rows);
  // Whole tiles at a time.
  const uint32_t at_once = (source.metrics_at_once() + tile_metrics - 1) /
                           tile_metrics * tile_metrics;
  const bool summarised = HasSummaries(
      source.strips().subspan(block.begin, block.end - block.begin));
  AxisBuilder axis(metric_count, tile_metrics);
  for (uint32_t first = 0; first < metric_count; first += at_once) {
    const uint32_t count = std::min(at_once, metric_count - first);
    std::vector<MetricChunks> chunks(count);
    std::vector<SummaryBuilder> summaries(count);
    for (size_t i = block.begin; i < block.end; ++i) {
      const Strip& strip = source.strips()[i];
      if (absl::Status s = source.Read(i, first, count, &columns_); !s.ok()) {
        return s;
      }
      if (first == 0) {
        axis.Add(strip, columns_.steps, columns_.times_ns);
      }
      for (uint32_t m = 0; m < count; ++m) {
        if (chunks[m].Add(&columns_.metrics[m])) {
          summaries[m].AddRepeat();
        } else {
          summaries[m].Add(strip.rows < kMinSummaryRows
                               ? NoSummary()
                               : Summarize(chunks[m].last()));
        }
      }
    }
    for (uint32_t m = 0; m < count; m += tile_metrics) {
      const uint32_t size = std::min(tile_metrics, count - m);
      const std::string key = TileKey(written_.id, table.run, table.schema,
                                      block.number, first + m);
      absl::Status s = Put(Family::kBlocks, key,
                           BuildBlock(absl::MakeSpan(chunks).subspan(m, size)));
      if (s.ok() && summarised) {
        const BuiltSummaries built =
            BuildSummaries(absl::MakeSpan(summaries).subspan(m, size));
        s = Put(Family::kSummaries, key, built.strips);
        if (s.ok() && !built.spans.empty()) {
          s = Put(Family::kBlocks,
                  SpansKey(written_.id, table.run, table.schema, block.number,
                           first + m),
                  built.spans);
        }
      }
      if (!s.ok()) return s;
    }
  }
  written_.rows += block.rows;
  written_.runs[table.run] += block.rows;
  written_.strips += block.end - block.begin;
  const AxisBuilder::Built built = std::move(axis).Build();
  if (!built.times.empty()) {
    absl::Status s =
        Put(Family::kBlocks,
            TimesKey(written_.id, table.run, table.schema, block.number),
            built.times);
    if (!s.ok()) return s;
  }
  return Put(Family::kAxis,
             AxisKey(written_.id, table.run, table.schema, block.number),
             built.axis);
}

absl::Status GenerationWriter::Put(Family family, absl::string_view key,
                                   absl::string_view value) {
  ++entries_[IndexOf(family)];
  return ToStatus(files_[IndexOf(family)]->Put(ToSlice(key), ToSlice(value)),
                  "write a generation");
}

absl::Status GenerationWriter::Finish() {
  for (size_t i = 0; i < files_.size(); ++i) {
    if (entries_[i] == 0) {
      // No file at all: of short strips there are no summaries.
      files_[i] = nullptr;
      database_->db()->GetEnv()->DeleteFile(paths_[i]).PermitUncheckedError();
      paths_[i].clear();
      continue;
    }
    if (absl::Status s = ToStatus(files_[i]->Finish(), "finish a generation");
        !s.ok()) {
      return s;
    }
    written_.bytes += files_[i]->FileSize();
  }
  database_->Reach(absl::StrCat(purpose_, ":after_files"));
  return absl::OkStatus();
}

absl::Status GenerationWriter::Ingest() { return database_->Ingest(paths_); }

}  // namespace waterflow::storage
