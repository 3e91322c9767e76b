// Codec "constant": all values have the same bits. A tenth of real telemetry:
// learning rates, sizes, flags, and NaN to the end of a diverged run.
//
//   payload := 8 bytes, little-endian
//
// Worst (and only) case: 8 bytes.
#ifndef WATERFLOW_STORAGE_CODEC_CONSTANT_H_
#define WATERFLOW_STORAGE_CODEC_CONSTANT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace waterflow::storage {

// `values` has at least one.
bool IsConstant(absl::Span<const double> values);
// Precondition: IsConstant(values).
void AppendConstant(absl::Span<const double> values, std::string* out);
absl::Status DecodeConstant(absl::string_view payload, absl::Span<double> out);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_CODEC_CONSTANT_H_
