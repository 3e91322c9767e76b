// What a verification of a whole store asks for and says. Each problem is one
// line: the family, the key in hexadecimal, what was expected and found.
#ifndef WATERFLOW_STORAGE_VERIFY_H_
#define WATERFLOW_STORAGE_VERIFY_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace waterflow::storage {

struct VerifyProblem {
  std::string family;  // as in docs/format.md
  std::string key;     // its bytes
  std::string what;

  std::string ToLine() const {
    return absl::StrCat(family, " ", absl::BytesToHexString(key), ": ", what);
  }
};

struct VerifyProgress {
  uint64_t bytes_read = 0;
  uint64_t bytes_total = 0;  // an estimate: files are compressed
};

struct VerifyReport {
  uint64_t problems = 0;
  uint64_t bytes = 0;  // of keys and values that were read
  uint64_t keys = 0;
  uint64_t generations = 0;
  uint64_t runs = 0;
  uint64_t blocks = 0;
  uint64_t values = 0;      // decoded, in generations
  uint64_t log_groups = 0;  // beyond the last seal
};

// Called on the verifying thread.
struct VerifyObserver {
  std::function<void(const VerifyProblem&)> problem;
  // Now and then; an error ends the verification and is its result.
  std::function<absl::Status(const VerifyProgress&)> progress;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_VERIFY_H_
