// Codec "float64": any values, with nothing assumed but that neighbours are
// somewhat alike.
//
//   payload := sequence (sequence.h) of 64 bits: the ordered bits (ordered.h)
//
// Worst case: that of the sequence; a chunk that it makes no smaller is raw.
#ifndef WATERFLOW_STORAGE_CODEC_FLOAT64_H_
#define WATERFLOW_STORAGE_CODEC_FLOAT64_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace waterflow::storage {

void AppendFloat64(absl::Span<const double> values, std::string* out);
absl::Status DecodeFloat64(absl::string_view payload, absl::Span<double> out);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_CODEC_FLOAT64_H_
