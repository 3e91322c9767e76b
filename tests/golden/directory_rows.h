// What workers log into the golden data directory, and under which names: the
// same on every machine.
#ifndef WATERFLOW_TESTS_GOLDEN_DIRECTORY_ROWS_H_
#define WATERFLOW_TESTS_GOLDEN_DIRECTORY_ROWS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "storage/model/ids.h"
#include "storage/model/records.h"

namespace waterflow::storage {

constexpr int64_t kSecond = 1'000'000'000;
// The time of row 0.
constexpr int64_t kStart = 1'790'000'000 * kSecond;

// Names of the runs and of the streams that log into them.
Uuid DirectoryRun(uint8_t number);
Uuid DirectoryStream(uint32_t attempt, uint32_t rank);
// Of the runs that are there, and those that were deleted.
enum : uint8_t {
  kPretrain = 1,
  kLong = 2,
  kDetector = 3,
  kScheduled = 4,
  kDeletedAndSealed = 5,
  kDeletedInLog = 6,
  kFork = 7,  // of kPretrain
  kSteady = 8,
};

// The schema of trainers: a metric per codec and per shape of a column.
std::vector<Metric> TrainSchema();
// Its rows, as schema 0 of the stream. Ranks log the same loss, and tokens of
// their own; the step of a row is first_step + row.
std::string TrainRows(uint32_t rank, uint64_t first, uint32_t rows,
                      int64_t first_step = 0);

// Schema 1: rows of {"cpu", "memory"} that have no step; `stamped`: and no
// time.
std::string HostRows(uint64_t first, uint32_t rows, bool stamped);

// Schema 0: rows of {"epoch", "narrow", "wide"}. Enough of them give two
// strips, summaries of spans, and full groups of integers below and above 32
// bits.
std::string LongRows(uint64_t first, uint32_t rows);

// Schema 0: rows of {"progress"}, cheap ones. 20,000 of them have so many times
// and spans that these lie apart.
std::string SteadyRows(uint64_t first, uint32_t rows);

}  // namespace waterflow::storage

#endif  // WATERFLOW_TESTS_GOLDEN_DIRECTORY_ROWS_H_
