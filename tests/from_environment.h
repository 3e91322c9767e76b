// Numbers that whoever runs a randomised test may set: its seed, how long.
#ifndef WATERFLOW_TESTS_FROM_ENVIRONMENT_H_
#define WATERFLOW_TESTS_FROM_ENVIRONMENT_H_

#include <cstdint>
#include <cstdlib>

#include "absl/strings/numbers.h"

namespace waterflow::storage {

inline uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  uint64_t value = 0;
  return text != nullptr && absl::SimpleAtoi(text, &value) ? value : otherwise;
}

}  // namespace waterflow::storage

#endif  // WATERFLOW_TESTS_FROM_ENVIRONMENT_H_
