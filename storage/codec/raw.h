// Codec "raw": the values as they lie in memory. What is left when nothing
// makes a chunk smaller, so that the worst case has a bound.
//
//   payload := n x 8 bytes, little-endian
//
// Worst (and only) case: 8 n bytes.
#ifndef WATERFLOW_STORAGE_CODEC_RAW_H_
#define WATERFLOW_STORAGE_CODEC_RAW_H_

#include <bit>
#include <cstring>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace waterflow::storage {

static_assert(std::endian::native == std::endian::little,
              "values are copied as they lie in memory");

// T: double or int64_t.
template <typename T>
void AppendRaw(absl::Span<const T> values, std::string* out) {
  out->append(reinterpret_cast<const char*>(values.data()),
              values.size() * sizeof(T));
}

template <typename T>
absl::Status DecodeRaw(absl::string_view payload, absl::Span<T> out) {
  if (payload.size() != out.size() * sizeof(T)) {
    return absl::DataLossError(absl::StrCat("raw values take ",
                                            out.size() * sizeof(T),
                                            " bytes, found ", payload.size()));
  }
  std::memcpy(out.data(), payload.data(), payload.size());
  return absl::OkStatus();
}

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_CODEC_RAW_H_
