// What a field holds in one run, and how two such values stand in an order.
#ifndef WATERFLOW_STORAGE_SEARCH_FIELD_VALUE_H_
#define WATERFLOW_STORAGE_SEARCH_FIELD_VALUE_H_

#include <compare>
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace waterflow::storage {

struct FieldValue {
  enum class Kind : uint8_t { kMissing, kNumber, kTime, kText };
  Kind kind = Kind::kMissing;
  double number = 0;
  int64_t time_ns = 0;     // Unix nanoseconds
  absl::string_view text;  // UTF-8

  static FieldValue Number(double number) {
    return {.kind = Kind::kNumber, .number = number, .text = {}};
  }
  static FieldValue Time(int64_t ns) {
    return {.kind = Kind::kTime, .time_ns = ns, .text = {}};
  }
  static FieldValue Text(absl::string_view text) {
    return {.kind = Kind::kText, .text = text};
  }
  bool missing() const { return kind == Kind::kMissing; }
};

// A run as a filter sees it.
class RunFields {
 public:
  virtual ~RunFields() = default;
  // By the number that the parser gave the field. The text stays good until
  // the next run is looked at.
  virtual FieldValue Get(uint32_t field) const = 0;
};

// Whether `a` stands before (less) or behind `b`. In either direction a missing
// value stands last, and NaN before it, behind all numbers. Texts go by their
// bytes.
std::strong_ordering CompareInOrder(const FieldValue& a, const FieldValue& b,
                                    bool descending);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_SEARCH_FIELD_VALUE_H_
