// A table of runs: a row a run, a column for each thing that was asked about
// it, in the language of searches. The meaning of every field is that of
// RunTableRequest and RunTableResponse.
#ifndef WATERFLOW_STORAGE_RUN_TABLE_H_
#define WATERFLOW_STORAGE_RUN_TABLE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "storage/model/ids.h"

namespace waterflow::storage {

struct RunTableSpec {
  std::vector<std::string> projects;  // empty: all
  std::string filter;
  std::vector<std::string> order_by;
  uint32_t page_size = 0;  // 0: kDefaultSearchPageSize
  std::string page_token;
  std::vector<std::string> columns;
  // Asked now and then; the table ends with CANCELLED when it says so.
  std::function<bool()> cancelled = nullptr;
};

// One of the three lists is filled, with an entry a row.
struct TableColumn {
  std::vector<double> numbers;
  std::vector<int64_t> times_ns;  // Unix nanoseconds
  std::vector<std::string> texts;
  // Whether the run has a value; the entry is 0 or empty if not.
  std::vector<bool> has_value;
};

// Some rows of the table, whole.
struct RunTablePart {
  std::vector<Uuid> runs;
  std::vector<TableColumn> columns;  // those asked for, in that order
};

// Takes the parts one by one, in the order of the rows; an error from it ends
// the table.
using TableSink = std::function<absl::Status(RunTablePart)>;

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_RUN_TABLE_H_
