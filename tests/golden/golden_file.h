// Reads a golden file: records of "key: value" lines, parted by empty lines.
// A line that begins with a space goes on with the value before it; '#' begins
// a comment line.
#ifndef WATERFLOW_TESTS_GOLDEN_GOLDEN_FILE_H_
#define WATERFLOW_TESTS_GOLDEN_GOLDEN_FILE_H_

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace waterflow {

using GoldenRecord = std::map<std::string, std::string>;

// The records of tests/golden/`name`. Empty when there is no such file.
std::vector<GoldenRecord> ReadGoldenFile(absl::string_view name);

// The value of `key`, which the record must have (a test failure otherwise).
std::string Field(const GoldenRecord& record, const std::string& key);

// Hexadecimal digits, blanks between them allowed, to bytes.
std::string FromHex(absl::string_view hex);
// In lines of 32 bytes, as the files have them.
std::string ToHex(absl::string_view bytes);

}  // namespace waterflow

#endif  // WATERFLOW_TESTS_GOLDEN_GOLDEN_FILE_H_
