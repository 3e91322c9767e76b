#include "storage/query/sealed_reader.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "storage/format/bytes.h"
#include "storage/format/keys.h"

namespace waterflow::storage {
namespace {

// Blocks and summaries that are kept.
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
  const size_t size = bytes->view().size();
  if (cached_bytes_ + size > kCacheBytes) {
    blocks_.clear();
    summaries_.clear();
    cached_bytes_ = 0;
  }
  cached_bytes_ += size;
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

}  // namespace waterflow::storage
