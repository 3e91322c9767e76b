// What searches look at: all runs, one row each, and column by column the
// fields that were asked for lately, so that a filter over 100,000 runs reads a
// few arrays and not 100,000 maps.
//
// All of it is derived and in memory. The caller tells it which runs changed
// and gives it what the catalog and the store hold; a column is filled when it
// is first asked for, and the ones unused for longest go when all together
// take more than the limit; those of the last search stay. Not thread-safe.
#ifndef WATERFLOW_STORAGE_SEARCH_RUN_INDEX_H_
#define WATERFLOW_STORAGE_SEARCH_RUN_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "storage/catalog/run_state.h"
#include "storage/search/column.h"
#include "storage/search/field.h"

namespace waterflow::storage {

class RunIndex {
 public:
  // What every run has. A row whose run is 0 is free.
  struct Row {
    RunId run;
    ProjectId project;
    Uuid id;
    RunStatus status = RunStatus::kUnspecified;
    uint32_t version = 0;  // of the values of its metrics, from 1
    int64_t start_ns = 0;
    int64_t end_ns = 0;  // 0: has not ended
    int64_t created_ns = 0;
    int64_t updated_ns = 0;
  };
  // The column of a field: one of the two, or none (an attribute that stands in
  // the row). Stays in the index as long as somebody holds it.
  struct Column {
    std::shared_ptr<TextColumn> text;
    std::shared_ptr<MetricColumn> metric;
  };
  // A value of a metric that must be read (again).
  struct Unread {
    uint32_t row = 0;
    RunId run;
    uint32_t version = 0;
    std::vector<uint32_t> columns;  // of those asked for
  };

  explicit RunIndex(uint64_t limit_bytes) : limit_bytes_(limit_bytes) {}

  // ---- following the catalog ----
  // A run that is new, or whose record changed.
  void Put(const RunState& run);
  void Erase(RunId run);
  // Values of its metrics may have become others.
  void ValuesChanged(RunId run);

  // ---- columns ----
  // The columns of these fields. Those in `made` are new and empty: Fill() them
  // with every run.
  std::vector<Column> ColumnsOf(const std::vector<Field>& fields,
                                std::vector<Field>* made);
  void Fill(const RunState& run, const std::vector<Field>& fields);
  // Of runs of these projects; null: of all.
  std::vector<Unread> UnreadValues(
      const std::vector<Column>& columns,
      const absl::flat_hash_set<ProjectId>* projects) const;
  // Of a row as UnreadValues() named it; passed over if it is another run's
  // now.
  void SetValue(const Unread& unread, MetricColumn* column,
                std::optional<double> value) const;
  // Frees columns that nobody holds, beyond the limits.
  void Trim();

  const std::vector<Row>& rows() const { return rows_; }
  std::optional<uint32_t> RowOf(RunId run) const;
  size_t bytes() const;

 private:
  struct Kept {
    Field field;
    Column column;
    uint64_t used = 0;  // when, counted in calls of ColumnsOf()
  };

  Kept* Find(const Field& field);
  static size_t BytesOf(const Kept& kept);
  static void SetText(const RunState& run, uint32_t row, const Kept& kept);

  const uint64_t limit_bytes_;
  std::vector<Row> rows_;
  std::vector<uint32_t> free_rows_;
  absl::flat_hash_map<RunId, uint32_t> row_of_;
  // So few that they are looked through from the front.
  std::vector<Kept> columns_;
  uint64_t uses_ = 0;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_SEARCH_RUN_INDEX_H_
