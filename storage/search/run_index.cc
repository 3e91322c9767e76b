#include "storage/search/run_index.h"

#include <algorithm>

namespace waterflow::storage {
namespace {

// Also of those that take next to nothing, because no run has the key.
constexpr size_t kMaxColumns = 256;

// Whether it has a column; other attributes stand in the row.
bool HasTextColumn(const Field& field) {
  return field.entity == Entity::kParam || field.entity == Entity::kTag ||
         (field.entity == Entity::kAttribute &&
          field.attribute == Attribute::kName);
}

std::optional<absl::string_view> Find(const Tags& tags,
                                      const std::string& key) {
  const auto it = tags.find(key);
  if (it == tags.end()) return std::nullopt;
  return it->second;
}

}  // namespace

// ---- following the catalog ----

void RunIndex::Put(const RunState& run) {
  const auto [it, is_new] = row_of_.try_emplace(run.id, 0);
  if (is_new) {
    if (free_rows_.empty()) {
      it->second = static_cast<uint32_t>(rows_.size());
      rows_.emplace_back();
    } else {
      it->second = free_rows_.back();
      free_rows_.pop_back();
    }
    rows_[it->second].version = 1;
  }
  Row& row = rows_[it->second];
  const RunValue& value = run.value;
  row.run = run.id;
  row.project = value.project;
  row.id = value.id;
  row.status = value.status;
  row.start_ns = value.start_ns != 0 ? value.start_ns : value.created_ns;
  row.end_ns = value.end_ns;
  row.created_ns = value.created_ns;
  row.updated_ns = value.updated_ns;
  for (const Kept& kept : columns_) SetText(run, it->second, kept);
}

void RunIndex::Erase(RunId run) {
  const auto it = row_of_.find(run);
  if (it == row_of_.end()) return;
  const uint32_t row = it->second;
  rows_[row] = Row();
  for (const Kept& kept : columns_) {
    if (kept.column.text != nullptr) kept.column.text->Set(row, std::nullopt);
    if (kept.column.metric != nullptr) kept.column.metric->Forget(row);
  }
  free_rows_.push_back(row);
  row_of_.erase(it);
}

void RunIndex::ValuesChanged(RunId run) {
  const auto it = row_of_.find(run);
  if (it != row_of_.end()) ++rows_[it->second].version;
}

// ---- columns ----

std::vector<RunIndex::Column> RunIndex::ColumnsOf(
    const std::vector<Field>& fields, std::vector<Field>* made) {
  ++uses_;
  std::vector<Column> columns;
  for (const Field& field : fields) {
    const bool metric = field.entity == Entity::kMetric;
    if (!metric && !HasTextColumn(field)) {
      columns.emplace_back();
      continue;
    }
    Kept* kept = Find(field);
    if (kept == nullptr) {
      kept = &columns_.emplace_back(Kept{.field = field, .column = {}});
      if (metric) kept->column.metric = std::make_shared<MetricColumn>();
    }
    if (!metric &&
        (kept->column.text == nullptr || kept->column.text->stale())) {
      kept->column.text = std::make_shared<TextColumn>();
      made->push_back(field);
    }
    kept->used = uses_;
    columns.push_back(kept->column);
  }
  return columns;
}

void RunIndex::Fill(const RunState& run, const std::vector<Field>& fields) {
  const std::optional<uint32_t> row = RowOf(run.id);
  if (!row.has_value()) return;
  for (const Field& field : fields) {
    if (const Kept* kept = Find(field); kept != nullptr) {
      SetText(run, *row, *kept);
    }
  }
}

void RunIndex::SetText(const RunState& run, uint32_t row, const Kept& kept) {
  if (kept.column.text == nullptr) return;
  const RunValue& value = run.value;
  std::optional<absl::string_view> text = value.name;
  if (kept.field.entity != Entity::kAttribute) {
    text = storage::Find(
        kept.field.entity == Entity::kParam ? value.params : value.tags,
        kept.field.key);
  }
  kept.column.text->Set(row, text);
}

std::vector<RunIndex::Unread> RunIndex::UnreadValues(
    const std::vector<Column>& columns,
    const absl::flat_hash_set<ProjectId>* projects) const {
  std::vector<Unread> all;
  for (uint32_t i = 0; i < rows_.size(); ++i) {
    const Row& row = rows_[i];
    if (row.run.value == 0) continue;
    if (projects != nullptr && !projects->contains(row.project)) continue;
    Unread* unread = nullptr;
    for (uint32_t c = 0; c < columns.size(); ++c) {
      const MetricColumn* metric = columns[c].metric.get();
      if (metric == nullptr || metric->Knows(i, row.version)) continue;
      if (unread == nullptr) {
        unread = &all.emplace_back(Unread{
            .row = i, .run = row.run, .version = row.version, .columns = {}});
      }
      unread->columns.push_back(c);
    }
  }
  return all;
}

void RunIndex::SetValue(const Unread& unread, MetricColumn* column,
                        std::optional<double> value) const {
  if (rows_[unread.row].run != unread.run) return;
  column->Set(unread.row, unread.version, value);
}

void RunIndex::Trim() {
  size_t total = 0;
  for (const Kept& kept : columns_) total += BytesOf(kept);
  size_t count = columns_.size();
  std::vector<size_t> oldest_first(columns_.size());
  for (size_t i = 0; i < columns_.size(); ++i) oldest_first[i] = i;
  std::sort(oldest_first.begin(), oldest_first.end(), [&](size_t a, size_t b) {
    return columns_[a].used < columns_[b].used;
  });
  for (const size_t i : oldest_first) {
    if (total <= limit_bytes_ && count <= kMaxColumns) break;
    // Whoever asked last is likely to ask again, and a column that is larger
    // than the limit would be filled each time.
    if (columns_[i].used == uses_) continue;
    Column& column = columns_[i].column;
    if (column.text.use_count() > 1 || column.metric.use_count() > 1) continue;
    total -= BytesOf(columns_[i]);
    --count;
    column = Column();
  }
  std::erase_if(columns_, [](const Kept& kept) {
    return kept.column.text == nullptr && kept.column.metric == nullptr;
  });
}

std::optional<uint32_t> RunIndex::RowOf(RunId run) const {
  const auto it = row_of_.find(run);
  if (it == row_of_.end()) return std::nullopt;
  return it->second;
}

RunIndex::Kept* RunIndex::Find(const Field& field) {
  const auto it =
      std::find_if(columns_.begin(), columns_.end(),
                   [&](const Kept& kept) { return kept.field == field; });
  return it == columns_.end() ? nullptr : &*it;
}

size_t RunIndex::BytesOf(const Kept& kept) {
  const Column& column = kept.column;
  return sizeof(Kept) + sizeof(TextColumn) + sizeof(MetricColumn) +
         kept.field.key.capacity() +
         (column.text == nullptr ? 0 : column.text->bytes()) +
         (column.metric == nullptr ? 0 : column.metric->bytes());
}

size_t RunIndex::bytes() const {
  // A table keeps one eighth or more of its places free, and a byte for each.
  size_t total = rows_.capacity() * sizeof(Row) +
                 row_of_.capacity() * (sizeof(std::pair<RunId, uint32_t>) + 1) +
                 free_rows_.capacity() * sizeof(uint32_t);
  for (const Kept& kept : columns_) total += BytesOf(kept);
  return total;
}

}  // namespace waterflow::storage
