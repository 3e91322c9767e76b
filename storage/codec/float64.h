// Codec "float64": any values, with nothing assumed but that neighbours are
// somewhat alike.
//
//   payload := form (1 byte), compressed (compress.h) planes (planes.h) of 8
//              bytes
//   form    := 0: the bits | 1: zigzag differences of the ordered bits
//
// Which form is decided by how many bits the differences have against the
// distances from one value of the middle; it comes within 1% of trying both.
// Worst case: 8 n + 2 bytes.
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
