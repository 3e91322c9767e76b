// Columns of the run index: what all runs hold in one field, by row.
#ifndef WATERFLOW_STORAGE_SEARCH_COLUMN_H_
#define WATERFLOW_STORAGE_SEARCH_COLUMN_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "storage/search/field_value.h"

namespace waterflow::storage {

// Texts. Runs that hold the same share it: a param or tag has few values.
class TextColumn {
 public:
  void Set(uint32_t row, std::optional<absl::string_view> text);
  // The view stays good until the column is changed.
  FieldValue Get(uint32_t row) const;

  size_t bytes() const;
  // Mostly texts that no row holds any more: make it anew.
  bool stale() const { return texts_.size() > 2 * codes_.size() + 1024; }

 private:
  static constexpr uint32_t kNone = 0;

  std::vector<uint32_t> codes_;  // by row; kNone, or a text's number from 1
  // Texts keep their address; numbers_ looks into them.
  std::vector<std::unique_ptr<const std::string>> texts_;
  absl::flat_hash_map<absl::string_view, uint32_t> numbers_;
  size_t text_bytes_ = 0;
};

// Values of a metric. Each was read when the run's values stood at a version;
// at another one it must be read again.
class MetricColumn {
 public:
  // `version` is above 0.
  void Set(uint32_t row, uint32_t version, std::optional<double> value);
  // As it was last read; missing if it never was.
  FieldValue Get(uint32_t row) const;
  bool Knows(uint32_t row, uint32_t version) const {
    return row < cells_.size() && cells_[row].version == version;
  }
  void Forget(uint32_t row);

  size_t bytes() const { return cells_.capacity() * sizeof(Cell); }

 private:
  struct Cell {
    double value = 0;
    uint32_t version = 0;
    bool present = false;
  };
  std::vector<Cell> cells_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_SEARCH_COLUMN_H_
