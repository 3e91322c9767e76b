// What is fuzzed: one function per decoder that takes bytes from outside. Each
// runs under libFuzzer (fuzz_main.cc) and, over a kept corpus and seeded
// mutations of it, in every test run (fuzz_test.cc). A fault shows as a crash,
// a sanitizer's report or a failed check, which aborts.
#ifndef WATERFLOW_TESTS_FUZZ_ENTRIES_H_
#define WATERFLOW_TESTS_FUZZ_ENTRIES_H_

#include <cstddef>
#include <cstdint>

namespace waterflow::fuzz {

// Input of the first two: count - 1 (2 bytes, little-endian), then the bytes of
// a chunk or column. What decodes must survive another round.
int Chunk(const uint8_t* input, size_t size);
int Column(const uint8_t* input, size_t size);

// Input: how many metrics the schema has (1 byte), then the bytes of a Batch.
// What is accepted must be readable to its last value.
int Batch(const uint8_t* input, size_t size);

// Input: the value without its checksum, which is put behind it.
int Axis(const uint8_t* input, size_t size);
int Block(const uint8_t* input, size_t size);
int Summaries(const uint8_t* input, size_t size);
int Latest(const uint8_t* input, size_t size);

// Input: the value of a log group; any value of the catalog.
int LogGroup(const uint8_t* input, size_t size);
int CatalogValue(const uint8_t* input, size_t size);

// Input: a filter, or an order.
int Search(const uint8_t* input, size_t size);

// Input: a resume token without its checksum, which is put behind it.
int TailToken(const uint8_t* input, size_t size);
// Input: a glob, a regular expression or letters of a fuzzy search.
int MetricPattern(const uint8_t* input, size_t size);

}  // namespace waterflow::fuzz

#endif  // WATERFLOW_TESTS_FUZZ_ENTRIES_H_
