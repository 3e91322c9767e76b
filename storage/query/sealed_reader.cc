#include "storage/query/sealed_reader.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "storage/format/bytes.h"
#include "storage/format/keys.h"

namespace waterflow::storage {
namespace {

// Blocks, summaries and times that are kept.
constexpr size_t kCacheBytes = 32 << 20;

absl::Status NameKey(const absl::Status& status, absl::string_view family,
                     absl::string_view key) {
  if (status.ok()) return status;
  return absl::DataLossError(absl::StrCat(
      family, " ", absl::BytesToHexString(key), ": ", status.message()));
}

}  // namespace

absl::StatusOr<const std::vector<SealedRows>*> SealedReader::Rows(
    SchemaId schema) {
  std::unique_ptr<std::vector<SealedRows>>& rows = rows_[schema];
  if (rows != nullptr) return rows.get();
  auto found = std::make_unique<std::vector<SealedRows>>();
  auto it = database_->Iterate(Family::kAxis);
  for (const auto& generation : generations_) {
    const std::string prefix = SchemaPrefix(generation->id, run_, schema);
    for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix);
         it->Next()) {
      const absl::string_view key = ToView(it->key());
      // Not the iterator's value, which would have to be copied.
      absl::StatusOr<SharedBytes> bytes =
          database_->GetShared(Family::kAxis, key);
      if (!bytes.ok()) return NameKey(bytes.status(), "axis", key);
      absl::StatusOr<AxisBlock> axis = AxisBlock::Parse(*std::move(bytes));
      if (!axis.ok()) return NameKey(axis.status(), "axis", key);
      ByteReader number(key.substr(prefix.size()));
      found->push_back({.generation = generation->id,
                        .worker_block = number.BigEndian<uint32_t>(),
                        .axis = *std::move(axis)});
    }
    if (!it->status().ok()) {
      return NameKey(ToStatus(it->status(), "read"), "axis", prefix);
    }
  }
  rows = std::move(found);
  return rows.get();
}

void SealedReader::MakeRoom(size_t bytes) {
  if (cached_bytes_ + bytes > kCacheBytes) {
    blocks_.clear();
    summaries_.clear();
    times_.clear();
    cached_bytes_ = 0;
  }
  cached_bytes_ += bytes;
}

template <typename T>
absl::StatusOr<const T*> SealedReader::ReadTile(Family family,
                                                absl::string_view name,
                                                const Place& place,
                                                Cache<T>* cache) {
  const SealedRows& rows = *place.rows;
  const uint32_t first_metric = place.column - place.metric();
  const TileId id(rows.generation, place.schema, rows.worker_block,
                  first_metric);
  const auto it = cache->find(id);
  if (it != cache->end()) return it->second.get();
  const std::string key = TileKey(rows.generation, run_, place.schema,
                                  rows.worker_block, first_metric);
  absl::StatusOr<SharedBytes> bytes = database_->GetShared(family, key);
  if (!bytes.ok()) return NameKey(bytes.status(), name, key);
  MakeRoom(bytes->view().size());
  absl::StatusOr<T> tile = T::Parse(*std::move(bytes));
  if (!tile.ok()) return NameKey(tile.status(), name, key);
  if (tile->strip_count() != rows.axis.strips().size()) {
    return NameKey(absl::DataLossError("disagrees with its axis"), name, key);
  }
  return cache->emplace(id, std::make_unique<const T>(*std::move(tile)))
      .first->second.get();
}

absl::StatusOr<const Block*> SealedReader::ReadBlock(const Place& place) {
  return ReadTile(Family::kBlocks, "block", place, &blocks_);
}

absl::StatusOr<const SummaryBlock*> SealedReader::ReadSummaries(
    const Place& place) {
  return ReadTile(Family::kSummaries, "summary", place, &summaries_);
}

absl::Status SealedReader::ReadSpans(const Place& place,
                                     const SummaryBlock& block,
                                     std::vector<StripSummary>* strips) const {
  if (!block.spans_apart()) return absl::OkStatus();
  const std::string key =
      SpansKey(place.rows->generation, run_, place.schema,
               place.rows->worker_block, place.column - place.metric());
  absl::StatusOr<SharedBytes> bytes =
      database_->GetShared(Family::kBlocks, key);
  if (!bytes.ok()) return NameKey(bytes.status(), "spans", key);
  const absl::StatusOr<absl::string_view> spans =
      block.CheckSpans(bytes->view());
  if (!spans.ok()) return NameKey(spans.status(), "spans", key);
  return NameKey(block.ReadSpans(place.metric(), *spans, strips), "spans", key);
}

absl::Status SealedReader::ReadTimes(SchemaId schema, const SealedRows& rows,
                                     size_t strip,
                                     std::vector<int64_t>* times_ns) {
  if (!rows.axis.times_apart()) return rows.axis.ReadTimes(strip, "", times_ns);
  auto it = times_.find(&rows);
  if (it == times_.end()) {
    const std::string key =
        TimesKey(rows.generation, run_, schema, rows.worker_block);
    absl::StatusOr<SharedBytes> bytes =
        database_->GetShared(Family::kBlocks, key);
    if (!bytes.ok()) return NameKey(bytes.status(), "times", key);
    MakeRoom(bytes->view().size());
    it = times_.emplace(&rows, Times{*std::move(bytes), {}}).first;
    const absl::StatusOr<absl::string_view> columns =
        rows.axis.CheckTimes(it->second.bytes.view());
    if (!columns.ok()) {
      times_.erase(it);
      return NameKey(columns.status(), "times", key);
    }
    it->second.columns = *columns;
  }
  return rows.axis.ReadTimes(strip, it->second.columns, times_ns);
}

}  // namespace waterflow::storage
