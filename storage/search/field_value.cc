#include "storage/search/field_value.h"

#include <cmath>

namespace waterflow::storage {
namespace {

// Values (0) before NaN (1) before nothing (2), whatever the direction.
int Class(const FieldValue& value) {
  if (value.missing()) return 2;
  return value.kind == FieldValue::Kind::kNumber && std::isnan(value.number);
}

std::strong_ordering Compare(const FieldValue& a, const FieldValue& b) {
  switch (a.kind) {
    case FieldValue::Kind::kMissing:
      return std::strong_ordering::equal;
    case FieldValue::Kind::kNumber:
      // Not <=>: -0.0 and 0.0 are the same place.
      if (a.number < b.number) return std::strong_ordering::less;
      if (a.number > b.number) return std::strong_ordering::greater;
      return std::strong_ordering::equal;
    case FieldValue::Kind::kTime:
      return a.time_ns <=> b.time_ns;
    case FieldValue::Kind::kText:
      break;
  }
  return a.text.compare(b.text) <=> 0;
}

}  // namespace

std::strong_ordering CompareInOrder(const FieldValue& a, const FieldValue& b,
                                    bool descending) {
  if (Class(a) != Class(b)) return Class(a) <=> Class(b);
  if (Class(a) != 0) return std::strong_ordering::equal;
  return descending ? Compare(b, a) : Compare(a, b);
}

}  // namespace waterflow::storage
