#include "storage/query/sealed_reader.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "storage/format/bytes.h"
#include "storage/format/keys.h"

namespace waterflow::storage {
namespace {

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
      absl::StatusOr<AxisBlock> axis =
          AxisBlock::Parse(std::string(ToView(it->value())));
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

absl::StatusOr<Block> SealedReader::ReadBlock(SchemaId schema,
                                              const SealedRows& rows,
                                              uint32_t column,
                                              uint32_t* metric) const {
  *metric = column % rows.axis.metrics_per_tile();
  const std::string key = TileKey(rows.generation, run_, schema,
                                  rows.worker_block, column - *metric);
  absl::StatusOr<std::string> bytes = database_->Get(Family::kBlocks, key);
  if (!bytes.ok()) return NameKey(bytes.status(), "block", key);
  absl::StatusOr<Block> block = Block::Parse(*std::move(bytes));
  if (!block.ok()) return NameKey(block.status(), "block", key);
  if (block->strip_count() != rows.axis.strips().size()) {
    return NameKey(absl::DataLossError("disagrees with its axis"), "block",
                   key);
  }
  return block;
}

absl::StatusOr<SummaryBlock> SealedReader::ReadSummaries(
    SchemaId schema, const SealedRows& rows, uint32_t column,
    uint32_t* metric) const {
  *metric = column % rows.axis.metrics_per_tile();
  const std::string key = TileKey(rows.generation, run_, schema,
                                  rows.worker_block, column - *metric);
  absl::StatusOr<std::string> bytes = database_->Get(Family::kSummaries, key);
  if (!bytes.ok()) return NameKey(bytes.status(), "summary", key);
  absl::StatusOr<SummaryBlock> block = SummaryBlock::Parse(*std::move(bytes));
  if (!block.ok()) return NameKey(block.status(), "summary", key);
  if (block->strip_count() != rows.axis.strips().size()) {
    return NameKey(absl::DataLossError("disagrees with its axis"), "summary",
                   key);
  }
  return block;
}

}  // namespace waterflow::storage
