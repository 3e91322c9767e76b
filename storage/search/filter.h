// A filter as the parser understood it, ready to be asked of one run after
// another.
//
// Three truths, as in SQL: a comparison with a value that the run lacks is
// neither true nor false, and so is its NOT; a run matches when the whole is
// true. So `NOT params.a = 'x'` means what `params.a != 'x'` does. NaN is a
// value: != holds for it, and no other comparison.
#ifndef WATERFLOW_STORAGE_SEARCH_FILTER_H_
#define WATERFLOW_STORAGE_SEARCH_FILTER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "storage/search/field_value.h"

namespace waterflow::storage {

enum class Comparator : uint8_t {
  kEqual,
  kNotEqual,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual,
  kLike,
  kILike,
  kIn,
  kNotIn,
  kIsNull,
  kIsNotNull,
};

struct Comparison {
  uint32_t field = 0;  // in the list that the parser filled
  Comparator comparator = Comparator::kEqual;
  double number = 0;               // of a number or a time
  std::vector<std::string> texts;  // one; or of IN and NOT IN all, in order
};

struct FilterNode {
  enum class Kind : uint8_t { kComparison, kAnd, kOr, kNot };
  Kind kind = Kind::kComparison;
  uint32_t comparison = 0;
  std::vector<uint32_t> parts;  // other nodes: two or more, of kNot one
};

class Filter {
 public:
  // Matches every run.
  Filter() = default;
  // `root` and all parts are nodes.
  Filter(std::vector<FilterNode> nodes, std::vector<Comparison> comparisons,
         uint32_t root);

  bool Matches(const RunFields& run) const;
  bool matches_all() const { return nodes_.empty(); }

 private:
  enum class Truth : int8_t { kFalse = -1, kUnknown = 0, kTrue = 1 };

  Truth Evaluate(uint32_t node, const RunFields& run) const;
  static Truth Evaluate(const Comparison& comparison, const FieldValue& value);

  std::vector<FilterNode> nodes_;
  std::vector<Comparison> comparisons_;
  uint32_t root_ = 0;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_SEARCH_FILTER_H_
