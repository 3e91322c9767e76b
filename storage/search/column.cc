#include "storage/search/column.h"

#include <utility>

namespace waterflow::storage {

void TextColumn::Set(uint32_t row, std::optional<absl::string_view> text) {
  if (!text.has_value()) {
    if (row < codes_.size()) codes_[row] = kNone;
    return;
  }
  if (codes_.size() <= row) codes_.resize(row + 1, kNone);
  auto it = numbers_.find(*text);
  if (it == numbers_.end()) {
    auto owned = std::make_unique<const std::string>(*text);
    it = numbers_.emplace(*owned, static_cast<uint32_t>(texts_.size() + 1))
             .first;
    text_bytes_ += owned->capacity();
    texts_.push_back(std::move(owned));
  }
  codes_[row] = it->second;
}

FieldValue TextColumn::Get(uint32_t row) const {
  if (row >= codes_.size() || codes_[row] == kNone) return {};
  return FieldValue::Text(*texts_[codes_[row] - 1]);
}

size_t TextColumn::bytes() const {
  // A table keeps one eighth or more of its places free, and a byte for each.
  constexpr size_t kTableEntry =
      (sizeof(absl::string_view) + sizeof(uint32_t) * 2 + 1) * 3 / 2;
  return codes_.capacity() * sizeof(uint32_t) +
         texts_.size() * (sizeof(std::string) + sizeof(void*) + kTableEntry) +
         text_bytes_;
}

void MetricColumn::Set(uint32_t row, uint32_t version,
                       std::optional<double> value) {
  if (cells_.size() <= row) cells_.resize(row + 1);
  cells_[row] = {.value = value.value_or(0),
                 .version = version,
                 .present = value.has_value()};
}

FieldValue MetricColumn::Get(uint32_t row) const {
  if (row >= cells_.size() || !cells_[row].present) return {};
  return FieldValue::Number(cells_[row].value);
}

void MetricColumn::Forget(uint32_t row) {
  if (row < cells_.size()) cells_[row] = Cell();
}

}  // namespace waterflow::storage
