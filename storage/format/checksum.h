// The checksum that closes every axis, block and summary: XXH3-64 of all bytes
// before it, 8 bytes little-endian. RocksDB's own block checksum does not cover
// what we get wrong ourselves, or what was wrong before it was handed over.
#ifndef WATERFLOW_STORAGE_FORMAT_CHECKSUM_H_
#define WATERFLOW_STORAGE_FORMAT_CHECKSUM_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace waterflow::storage {

// What AppendChecksum() appends: a number for some bytes, the same in every
// process.
uint64_t ChecksumOf(absl::string_view bytes);

void AppendChecksum(std::string* value);

// The bytes without their checksum; DATA_LOSS when it does not match.
absl::StatusOr<absl::string_view> VerifyChecksum(absl::string_view value);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_FORMAT_CHECKSUM_H_
