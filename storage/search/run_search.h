// One search over the run index: which runs match, in which order, a page at a
// time.
#ifndef WATERFLOW_STORAGE_SEARCH_RUN_SEARCH_H_
#define WATERFLOW_STORAGE_SEARCH_RUN_SEARCH_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "storage/search/parser.h"
#include "storage/search/run_index.h"

namespace waterflow::storage {

// Where a run stands in the order of a search, by value: it stays a place when
// the run has changed or is gone.
struct SearchPlace {
  // A FieldValue that owns its text.
  struct Value {
    FieldValue value;
    std::string text;

    FieldValue Get() const;
  };
  std::vector<Value> values;  // of each OrderItem
  int64_t start_ns = 0;
  Uuid id;
};

class RunSearch {
 public:
  // What a search needs beside the index. All must outlive it.
  struct Source {
    const RunIndex& index;
    const SearchQuery& query;
    const std::vector<RunIndex::Column>& columns;  // of query.fields
    absl::flat_hash_map<ProjectId, std::string> project_names;  // if it asks
    absl::flat_hash_set<uint32_t> lost_rows;                    // if it asks
  };
  explicit RunSearch(const Source& source) : source_(source) {}

  struct Page {
    std::vector<uint32_t> rows;
    bool more = false;  // another one follows
  };
  // The next `size` matches behind `after` (absent: from the first), of these
  // projects (null: of all). CANCELLED once `cancelled` says so.
  absl::StatusOr<Page> Find(const absl::flat_hash_set<ProjectId>* projects,
                            const std::optional<SearchPlace>& after,
                            size_t size,
                            const std::function<bool()>& cancelled) const;

  SearchPlace PlaceOf(uint32_t row) const;
  // By the number of the field.
  FieldValue Get(uint32_t row, uint32_t field, std::string* buffer) const;

 private:
  std::strong_ordering Compare(uint32_t a, uint32_t b) const;
  std::strong_ordering Compare(uint32_t a, const SearchPlace& b) const;

  const Source& source_;
};

// As a filter writes it; empty for one that is none.
absl::string_view StatusName(RunStatus status);

// A place as a text that a client hands back. It is bound to one search: the
// same projects, filter and order.
std::string EncodePageToken(const SearchPlace& place, uint64_t search);
// INVALID_ARGUMENT when it is none, or one of another search.
absl::StatusOr<SearchPlace> DecodePageToken(absl::string_view token,
                                            uint64_t search,
                                            const SearchQuery& query);
// A number for what makes a search, the same in every process.
uint64_t SearchHash(const std::vector<std::string>& projects,
                    absl::string_view filter,
                    const std::vector<std::string>& order_by);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_SEARCH_RUN_SEARCH_H_
