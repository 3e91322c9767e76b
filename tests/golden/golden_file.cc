#include "tests/golden/golden_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace waterflow {

std::vector<GoldenRecord> ReadGoldenFile(absl::string_view name) {
  std::vector<GoldenRecord> records;
  GoldenRecord record;
  std::string key;
  const auto close = [&] {
    if (!record.empty()) records.push_back(std::move(record));
    record.clear();
  };
  std::ifstream file(absl::StrCat(WATERFLOW_GOLDEN_DIR, "/", name));
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) {
      close();
    } else if (line[0] == ' ') {
      std::string& value = record[key];
      absl::StrAppend(&value, value.empty() ? "" : " ",
                      absl::StripAsciiWhitespace(line));
    } else if (line[0] != '#') {
      const size_t colon = line.find(':');
      key = line.substr(0, colon);
      record[key] =
          colon == std::string::npos
              ? ""
              : std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
    }
  }
  close();
  return records;
}

std::string Field(const GoldenRecord& record, const std::string& key) {
  const auto found = record.find(key);
  if (found == record.end()) {
    ADD_FAILURE() << "a golden record lacks \"" << key << "\"";
    return "";
  }
  return found->second;
}

std::string FromHex(absl::string_view hex) {
  return absl::HexStringToBytes(absl::StrReplaceAll(hex, {{" ", ""}}));
}

std::string ToHex(absl::string_view bytes) {
  std::string hex;
  for (size_t i = 0; i < bytes.size(); i += 32) {
    absl::StrAppend(&hex, "\n  ", absl::BytesToHexString(bytes.substr(i, 32)));
  }
  return hex;
}

}  // namespace waterflow
