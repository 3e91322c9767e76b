#include "storage/search/filter.h"

#include <algorithm>
#include <utility>

#include "storage/search/like.h"

namespace waterflow::storage {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;

// What a filter compares a time by; rounded down, also before 1970.
int64_t ToMilliseconds(int64_t ns) {
  return ns / kNsPerMs - (ns % kNsPerMs < 0 ? 1 : 0);
}

bool Holds(Comparator comparator, double value, double than) {
  switch (comparator) {
    case Comparator::kEqual:
      return value == than;
    case Comparator::kNotEqual:
      return value != than;
    case Comparator::kLess:
      return value < than;
    case Comparator::kLessOrEqual:
      return value <= than;
    case Comparator::kGreater:
      return value > than;
    case Comparator::kGreaterOrEqual:
      return value >= than;
    default:
      return false;
  }
}

bool Holds(Comparator comparator, absl::string_view value,
           const std::vector<std::string>& than) {
  switch (comparator) {
    case Comparator::kEqual:
      return value == than[0];
    case Comparator::kNotEqual:
      return value != than[0];
    case Comparator::kLike:
      return Like(value, than[0], LikeCase::kSensitive);
    case Comparator::kILike:
      return Like(value, than[0], LikeCase::kIgnored);
    case Comparator::kIn:
      return std::binary_search(than.begin(), than.end(), value);
    case Comparator::kNotIn:
      return !std::binary_search(than.begin(), than.end(), value);
    default:
      return false;
  }
}

}  // namespace

Filter::Filter(std::vector<FilterNode> nodes,
               std::vector<Comparison> comparisons, uint32_t root)
    : nodes_(std::move(nodes)),
      comparisons_(std::move(comparisons)),
      root_(root) {}

bool Filter::Matches(const RunFields& run) const {
  return matches_all() || Evaluate(root_, run) == Truth::kTrue;
}

Filter::Truth Filter::Evaluate(uint32_t index, const RunFields& run) const {
  const FilterNode& node = nodes_[index];
  switch (node.kind) {
    case FilterNode::Kind::kComparison: {
      const Comparison& comparison = comparisons_[node.comparison];
      return Evaluate(comparison, run.Get(comparison.field));
    }
    case FilterNode::Kind::kNot:
      return static_cast<Truth>(
          -static_cast<int8_t>(Evaluate(node.parts[0], run)));
    case FilterNode::Kind::kAnd: {
      Truth all = Truth::kTrue;
      for (const uint32_t part : node.parts) {
        all = std::min(all, Evaluate(part, run));
        if (all == Truth::kFalse) break;
      }
      return all;
    }
    case FilterNode::Kind::kOr:
      break;
  }
  Truth any = Truth::kFalse;
  for (const uint32_t part : node.parts) {
    any = std::max(any, Evaluate(part, run));
    if (any == Truth::kTrue) break;
  }
  return any;
}

Filter::Truth Filter::Evaluate(const Comparison& comparison,
                               const FieldValue& value) {
  bool holds = false;
  if (comparison.comparator == Comparator::kIsNull) {
    holds = value.missing();
  } else if (comparison.comparator == Comparator::kIsNotNull) {
    holds = !value.missing();
  } else {
    switch (value.kind) {
      case FieldValue::Kind::kMissing:
        return Truth::kUnknown;
      case FieldValue::Kind::kNumber:
        holds = Holds(comparison.comparator, value.number, comparison.number);
        break;
      case FieldValue::Kind::kTime:
        holds = Holds(comparison.comparator,
                      static_cast<double>(ToMilliseconds(value.time_ns)),
                      comparison.number);
        break;
      case FieldValue::Kind::kText:
        holds = Holds(comparison.comparator, value.text, comparison.texts);
        break;
    }
  }
  return holds ? Truth::kTrue : Truth::kFalse;
}

}  // namespace waterflow::storage
