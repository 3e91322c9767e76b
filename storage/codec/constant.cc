#include "storage/codec/constant.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace waterflow::storage {

bool IsConstant(absl::Span<const double> values) {
  // Equal to itself moved by one: the same bits everywhere. memcmp stops at the
  // first difference.
  return std::memcmp(values.data(), values.data() + 1,
                     (values.size() - 1) * sizeof(double)) == 0;
}

void AppendConstant(absl::Span<const double> values, std::string* out) {
  out->append(reinterpret_cast<const char*>(values.data()), sizeof(double));
}

absl::Status DecodeConstant(absl::string_view payload, absl::Span<double> out) {
  if (payload.size() != sizeof(double)) {
    return absl::DataLossError(absl::StrCat("a constant takes ", sizeof(double),
                                            " bytes, found ", payload.size()));
  }
  double value;
  std::memcpy(&value, payload.data(), sizeof(value));
  std::fill(out.begin(), out.end(), value);
  return absl::OkStatus();
}

}  // namespace waterflow::storage
