// Numbers that whoever runs a randomised test may set: its seed, how long; and
// how to run it once more.
#ifndef WATERFLOW_TESTS_FROM_ENVIRONMENT_H_
#define WATERFLOW_TESTS_FROM_ENVIRONMENT_H_

#include <errno.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace waterflow::storage {

inline uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  uint64_t value = 0;
  return text != nullptr && absl::SimpleAtoi(text, &value) ? value : otherwise;
}

// The command that runs the test at hand with this seed.
inline std::string ToRepeat(const char* variable, uint64_t seed) {
  const auto* const test =
      ::testing::UnitTest::GetInstance()->current_test_info();
  return absl::StrCat(variable, "=", seed, " ", program_invocation_name,
                      " --gtest_filter=", test->test_suite_name(), ".",
                      test->name());
}

}  // namespace waterflow::storage

#endif  // WATERFLOW_TESTS_FROM_ENVIRONMENT_H_
