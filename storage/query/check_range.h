// A range that a question names.
#ifndef WATERFLOW_STORAGE_QUERY_CHECK_RANGE_H_
#define WATERFLOW_STORAGE_QUERY_CHECK_RANGE_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "storage/read.h"

namespace waterflow::storage {

// INVALID_ARGUMENT, which names the field, when it ends before it begins.
inline absl::Status CheckRange(absl::string_view field,
                               const std::optional<Interval>& range) {
  if (!range.has_value() || range->first <= range->last) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      field, ": first ", range->first, " is after last ", range->last));
}

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_CHECK_RANGE_H_
