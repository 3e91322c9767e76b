// What every question checks of what it names.
#ifndef WATERFLOW_STORAGE_QUERY_CHECK_H_
#define WATERFLOW_STORAGE_QUERY_CHECK_H_

#include <cstddef>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "storage/read.h"

namespace waterflow::storage {

// All are INVALID_ARGUMENT and name the field.

inline absl::Status CheckCount(absl::string_view field, size_t count,
                               size_t min, size_t max) {
  if (min <= count && count <= max) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      field, ": ", count, " given, ", min, " to ", max, " are allowed"));
}

// A range must not end before it begins.
inline absl::Status CheckRange(absl::string_view field,
                               const std::optional<Interval>& range) {
  if (!range.has_value() || range->first <= range->last) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      field, ": first ", range->first, " is after last ", range->last));
}

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_CHECK_H_
