#include "storage/keep/sealed_source.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "storage/format/batch.h"
#include "storage/format/bytes.h"
#include "storage/format/keys.h"
#include "storage/ingest/strip_grid.h"

namespace waterflow::storage {
namespace {

// Old blocks that are kept for the strips that follow.
constexpr size_t kCacheBytes = 64 << 20;
// A tile of full chunks is one metric; this many share the work per strip.
constexpr uint32_t kMetricsAtOnce = 32;

absl::Status NameKey(const absl::Status& status, absl::string_view family,
                     absl::string_view key) {
  return absl::DataLossError(absl::StrCat(
      family, " ", absl::BytesToHexString(key), ": ", status.message()));
}

bool Continues(const Strip& next, const Strip& strip) {
  return next.worker == strip.worker && next.attempt == strip.attempt &&
         next.has_step == strip.has_step &&
         next.time_stamped == strip.time_stamped &&
         next.first_row == strip.first_row + strip.rows;
}

StripGrid GridOf(const Strip& strip, uint32_t strip_rows) {
  return strip.has_step ? StripGrid(strip_rows, strip.first_row, strip.rows,
                                    strip.min_step, strip.max_step)
                        : StripGrid(strip_rows);
}

void SetBits(uint32_t begin, uint32_t end, std::string* bitmap) {
  for (uint32_t row = begin; row < end; ++row) {
    (*bitmap)[row / 8] = static_cast<char>((*bitmap)[row / 8] | 1 << (row % 8));
  }
}

// Puts `chunk` behind what is in *joined, which will have `rows` rows.
void AppendChunk(const ChunkValues& chunk, uint32_t rows, ChunkValues* joined) {
  const uint32_t at = joined->rows;
  const bool was_dense = joined->present.empty();
  const bool had_values = !joined->values.empty();
  joined->rows += chunk.rows;
  if (chunk.values.empty() && !had_values) return;
  const bool stays_dense =
      chunk.dense() && was_dense && (had_values || at == 0);
  if (!stays_dense) {
    if (was_dense) {
      joined->present.assign((rows + 7) / 8, '\0');
      if (had_values) SetBits(0, at, &joined->present);
    }
    if (chunk.dense()) {
      SetBits(at, at + chunk.rows, &joined->present);
    } else {
      for (uint32_t row = 0; row < chunk.rows && !chunk.values.empty(); ++row) {
        if (IsPresent(chunk.present, row)) {
          SetBits(at + row, at + row + 1, &joined->present);
        }
      }
    }
  }
  joined->values.insert(joined->values.end(), chunk.values.begin(),
                        chunk.values.end());
}

}  // namespace

absl::StatusOr<SealedTables> ListTables(
    const Database& database, const rocksdb::ReadOptions& options,
    absl::Span<const GenerationId> generations) {
  SealedTables tables;
  const std::unique_ptr<rocksdb::Iterator> it(
      database.db()->NewIterator(options, database.family(Family::kAxis)));
  for (const GenerationId generation : generations) {
    const std::string prefix = GenerationPrefix(generation);
    it->Seek(prefix);
    while (it->Valid() && it->key().starts_with(prefix)) {
      ByteReader key(ToView(it->key()).substr(prefix.size()));
      const RunId run{key.BigEndian<uint32_t>()};
      const SchemaId schema{key.BigEndian<uint32_t>()};
      if (!key.ok()) return absl::DataLossError("an axis' key is malformed");
      tables[{run, schema}].push_back(generation);
      // Most tables are one worker block: a step is cheaper than a seek.
      const std::string table = SchemaPrefix(generation, run, schema);
      it->Next();
      if (it->Valid() && it->key().starts_with(table)) {
        it->Seek(PrefixEnd(table));
      }
    }
    if (!it->status().ok()) return ToStatus(it->status(), "list tables");
  }
  return tables;
}

absl::StatusOr<std::unique_ptr<SealedSource>> SealedSource::Load(
    const Database* database, const rocksdb::ReadOptions& options,
    absl::Span<const GenerationId> generations, RunId run, SchemaId schema) {
  std::unique_ptr<SealedSource> source(
      new SealedSource(database, options, run, schema));
  for (const GenerationId generation : generations) {
    if (absl::Status s = source->LoadPieces(generation); !s.ok()) return s;
  }
  source->Join();
  return source;
}

absl::Status SealedSource::LoadPieces(GenerationId generation) {
  const std::unique_ptr<rocksdb::Iterator> it(
      database_->db()->NewIterator(options_, database_->family(Family::kAxis)));
  const std::string prefix = SchemaPrefix(generation, run_, schema_);
  for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix);
       it->Next()) {
    const absl::string_view key = ToView(it->key());
    absl::StatusOr<AxisBlock> axis =
        AxisBlock::Parse(std::string(ToView(it->value())));
    if (!axis.ok()) return NameKey(axis.status(), "axis", key);
    if (metric_count_ == 0) metric_count_ = axis->metric_count();
    if (axis->metric_count() != metric_count_) {
      return NameKey(absl::DataLossError("metrics differ between generations"),
                     "axis", key);
    }
    ByteReader number(key.substr(prefix.size()));
    const uint32_t worker_block = number.BigEndian<uint32_t>();
    for (uint32_t i = 0; i < axis->strips().size(); ++i) {
      pieces_.push_back({axis->strips()[i], generation, worker_block, i});
    }
  }
  if (!it->status().ok()) {
    return NameKey(ToStatus(it->status(), "read"), "axis", prefix);
  }
  return absl::OkStatus();
}

void SealedSource::Join() {
  // Generations do not interleave, so a worker's strips stay in row order.
  std::stable_sort(pieces_.begin(), pieces_.end(),
                   [](const Piece& a, const Piece& b) {
                     return a.strip.worker < b.strip.worker;
                   });
  const uint32_t strip_rows = StripRows(metric_count_);
  for (size_t i = 0; i < pieces_.size(); ++i) {
    const Strip& next = pieces_[i].strip;
    if (strips_.empty() || !Continues(next, strips_.back()) ||
        strips_.back().rows + next.rows > strip_rows ||
        GridOf(strips_.back(), strip_rows).IsLine(next.first_row)) {
      first_piece_.push_back(i);
      strips_.push_back(next);
    } else {
      Strip& strip = strips_.back();
      strip.rows += next.rows;
      strip.max_step = next.max_step;
    }
  }
  first_piece_.push_back(pieces_.size());
}

uint32_t SealedSource::metrics_at_once() const {
  return std::min(metric_count_, kMetricsAtOnce);
}

absl::Status SealedSource::Read(size_t strip, uint32_t first_metric,
                                uint32_t count, StripColumns* out) {
  const absl::Span<const Piece> pieces = absl::MakeSpan(pieces_).subspan(
      first_piece_[strip], first_piece_[strip + 1] - first_piece_[strip]);
  const uint32_t rows = strips_[strip].rows;
  if (first_metric == 0) {
    if (absl::Status s = ReadAxis(pieces, out); !s.ok()) return s;
  }
  out->metrics.resize(count);
  for (ChunkValues& joined : out->metrics) {
    joined.rows = 0;
    joined.present.clear();
    joined.values.clear();
  }
  for (const Piece& piece : pieces) {
    absl::StatusOr<const Axis*> axis = AxisOf(piece);
    if (!axis.ok()) return axis.status();
    const uint32_t metrics_per_tile = (*axis)->block.metrics_per_tile();
    const Block* block = nullptr;
    for (uint32_t m = 0; m < count; ++m) {
      const uint32_t place = (first_metric + m) % metrics_per_tile;
      if (block == nullptr || place == 0) {
        absl::StatusOr<const Block*> found =
            BlockOf(piece, first_metric + m - place);
        if (!found.ok()) return found.status();
        block = *found;
      }
      ChunkValues& joined = out->metrics[m];
      ChunkValues& target = pieces.size() == 1 ? joined : chunk_;
      if (absl::Status s =
              block->Read(place, piece.index, piece.strip.rows, &target);
          !s.ok()) {
        return s;
      }
      if (pieces.size() > 1) AppendChunk(chunk_, rows, &joined);
    }
  }
  return absl::OkStatus();
}

absl::Status SealedSource::ReadAxis(absl::Span<const Piece> pieces,
                                    StripColumns* out) {
  out->steps.clear();
  out->times_ns.clear();
  for (const Piece& piece : pieces) {
    absl::StatusOr<const Axis*> axis = AxisOf(piece);
    if (!axis.ok()) return axis.status();
    const AxisBlock& block = (*axis)->block;
    if (piece.strip.has_step) {
      if (absl::Status s = block.ReadSteps(piece.index, &column_); !s.ok()) {
        return s;
      }
      out->steps.insert(out->steps.end(), column_.begin(), column_.end());
    }
    if (absl::Status s =
            block.ReadTimes(piece.index, (*axis)->columns, &column_);
        !s.ok()) {
      return s;
    }
    out->times_ns.insert(out->times_ns.end(), column_.begin(), column_.end());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> SealedSource::Get(Family family,
                                              absl::string_view key) const {
  std::string value;
  const rocksdb::Status s = database_->db()->Get(
      options_, database_->family(family), ToSlice(key), &value);
  if (!s.ok()) return ToStatus(s, "read");
  return value;
}

void SealedSource::MakeRoom(size_t bytes) {
  if (cached_bytes_ + bytes > kCacheBytes) {
    blocks_.clear();
    cached_bytes_ = 0;
  }
  cached_bytes_ += bytes;
}

absl::StatusOr<const SealedSource::Axis*> SealedSource::AxisOf(
    const Piece& piece) {
  const auto place = std::pair(piece.generation, piece.worker_block);
  const auto it = axes_.find(place);
  if (it != axes_.end()) return &it->second;
  // Strips go forward: earlier worker blocks of the generation are done with.
  axes_.erase(axes_.lower_bound({piece.generation, 0}),
              axes_.lower_bound(place));
  const std::string key =
      AxisKey(piece.generation, run_, schema_, piece.worker_block);
  absl::StatusOr<std::string> bytes = Get(Family::kAxis, key);
  if (!bytes.ok()) return NameKey(bytes.status(), "axis", key);
  absl::StatusOr<AxisBlock> block = AxisBlock::Parse(*std::move(bytes));
  if (!block.ok()) return NameKey(block.status(), "axis", key);
  Axis& axis = axes_[place];
  axis.block = *std::move(block);
  if (!axis.block.times_apart()) return &axis;
  const std::string times_key =
      TimesKey(piece.generation, run_, schema_, piece.worker_block);
  absl::StatusOr<std::string> times = Get(Family::kBlocks, times_key);
  absl::Status status = times.status();
  if (status.ok()) {
    axis.times = *std::move(times);
    const auto columns = axis.block.CheckTimes(axis.times);
    status = columns.status();
    if (status.ok()) {
      axis.columns = *columns;
      return &axis;
    }
  }
  axes_.erase(place);
  return NameKey(status, "times", times_key);
}

absl::StatusOr<const Block*> SealedSource::BlockOf(const Piece& piece,
                                                   uint32_t first_metric) {
  const std::tuple at(piece.generation, piece.worker_block, first_metric);
  const auto it = blocks_.find(at);
  if (it != blocks_.end()) return &it->second;
  const std::string key = TileKey(piece.generation, run_, schema_,
                                  piece.worker_block, first_metric);
  absl::StatusOr<std::string> bytes = Get(Family::kBlocks, key);
  if (!bytes.ok()) return NameKey(bytes.status(), "block", key);
  MakeRoom(bytes->size());
  absl::StatusOr<Block> block = Block::Parse(*std::move(bytes));
  if (!block.ok()) return NameKey(block.status(), "block", key);
  return &blocks_.emplace(at, *std::move(block)).first->second;
}

}  // namespace waterflow::storage
