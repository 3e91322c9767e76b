#include "storage/format/checksum.h"

#include <xxhash.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/format/bytes.h"

namespace waterflow::storage {

uint64_t ChecksumOf(absl::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

void AppendChecksum(std::string* value) {
  AppendFixed<uint64_t>(ChecksumOf(*value), value);
}

absl::StatusOr<absl::string_view> VerifyChecksum(absl::string_view value) {
  if (value.size() < sizeof(uint64_t)) {
    return absl::DataLossError(
        absl::StrCat("truncated: ", value.size(), " bytes"));
  }
  const absl::string_view body = value.substr(0, value.size() - 8);
  const uint64_t stored = LoadFixed<uint64_t>(body.data() + body.size());
  const uint64_t found = ChecksumOf(body);
  if (stored != found) {
    return absl::DataLossError(absl::StrFormat(
        "checksum is %016x, the bytes give %016x", stored, found));
  }
  return body;
}

}  // namespace waterflow::storage
