#include "storage/model/ids.h"

#include <algorithm>

#include "absl/random/random.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace waterflow::storage {

std::string Uuid::ToHex() const { return absl::BytesToHexString(raw()); }

absl::StatusOr<Uuid> Uuid::FromHex(absl::string_view hex) {
  const bool digits = std::all_of(hex.begin(), hex.end(), absl::ascii_isxdigit);
  if (hex.size() != 32 || !digits) {
    return absl::InvalidArgumentError(absl::StrCat(
        "run id \"", absl::CEscape(hex.substr(0, 64)),
        "\": expected 32 hexadecimal digits, found ", hex.size(), " bytes"));
  }
  return FromBytes(absl::HexStringToBytes(hex));
}

absl::StatusOr<Uuid> Uuid::FromBytes(absl::string_view raw) {
  Uuid id;
  if (raw.size() != id.bytes.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("id: expected 16 bytes, found ", raw.size()));
  }
  std::copy(raw.begin(), raw.end(), id.bytes.begin());
  return id;
}

Uuid Uuid::Random() {
  absl::BitGen random;
  Uuid id;
  for (uint8_t& byte : id.bytes) byte = absl::Uniform<uint8_t>(random);
  id.bytes[6] = (id.bytes[6] & 0x0f) | 0x40;
  id.bytes[8] = (id.bytes[8] & 0x3f) | 0x80;
  return id;
}

}  // namespace waterflow::storage
