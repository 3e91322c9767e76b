// Checks of what users call things. Every error names the field, the value (cut
// short) and the limit.
#ifndef WATERFLOW_STORAGE_MODEL_NAMES_H_
#define WATERFLOW_STORAGE_MODEL_NAMES_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "storage/model/records.h"

namespace waterflow::storage {

// Whether `text` is well-formed UTF-8 (RFC 3629: no overlong forms, no
// surrogates).
bool IsUtf8(absl::string_view text);

// A value as it is shown in errors: escaped, and cut after 64 bytes.
std::string Quoted(absl::string_view value);

// UTF-8 of min_bytes to max_bytes, without control characters.
absl::Status CheckName(absl::string_view field, absl::string_view value,
                       size_t min_bytes, size_t max_bytes);

// UTF-8 of at most max_bytes; may hold line breaks.
absl::Status CheckText(absl::string_view field, absl::string_view value,
                       size_t max_bytes);

absl::Status CheckTags(absl::string_view field, const Tags& tags,
                       size_t max_count);

absl::Status CheckWorker(const Worker& worker);

// Names, lengths and count of a schema's metrics; that no name comes twice.
absl::Status CheckSchema(const std::vector<Metric>& metrics);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_MODEL_NAMES_H_
