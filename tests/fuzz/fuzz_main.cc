// One libFuzzer program per entry: WATERFLOW_FUZZ_ENTRY names it.
#include "tests/fuzz/entries.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  return waterflow::fuzz::WATERFLOW_FUZZ_ENTRY(input, size);
}
