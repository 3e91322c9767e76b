// From the text of a filter and of an order to what they mean: a parser by
// recursive descent over the grammar of docs/search.md.
//
// For text from anywhere: its length, its depth and what it may hold are
// bounded (storage/model/limits.h), and so are stack and memory. Errors are
// INVALID_ARGUMENT and say where: "filter: column 16: expected a number, found
// \"abc\"".
#ifndef WATERFLOW_STORAGE_SEARCH_PARSER_H_
#define WATERFLOW_STORAGE_SEARCH_PARSER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "storage/search/field.h"
#include "storage/search/filter.h"

namespace waterflow::storage {

struct OrderItem {
  uint32_t field = 0;
  bool descending = false;
};

// The filter and the order of one search, and the fields that they count in,
// each once.
struct SearchQuery {
  std::vector<Field> fields;
  Filter filter;
  std::vector<OrderItem> order;
};

// An empty filter, or one of blanks, matches every run. Each text of `order_by`
// holds one or more fields; none may come twice.
absl::StatusOr<SearchQuery> ParseSearch(absl::string_view filter,
                                        absl::Span<const std::string> order_by);

// One field by itself, what a column of a table shows. Of all that a filter may
// name, and at_best(metrics.A, metrics.B) too.
absl::StatusOr<Field> ParseColumn(absl::string_view column);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_SEARCH_PARSER_H_
