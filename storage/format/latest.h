// What a run's metrics came to as single numbers, kept so that nobody derives
// it twice. A value of the `latest` family; its key is the run (u32,
// big-endian).
//
//   latest  := source string, count varint, entry*, checksum
//   entry   := metric varint (distance from the one before, of the first from
//              0), kind u8, values
//   kind    := 0 no worker has a point
//              1 last, min, max, mean (float64): the same however the workers
//                are reduced
//              2 each of these four reduced by mean, by sum, by min, by max
//                (16 float64)
//   source  := what the run was made of then, of itself and of each run that it
//              was forked from in turn: run, rows varints, flags u8,
//              [last_attempt varint, steps_below zigzag]  if flags & 1,
//              count varint, (attempt varint, hiding step zigzag)*
//
// Rows of a run are never changed and, once sealed, never lost: so a value that
// was derived when all rows were sealed is right as long as the run has as many
// rows, and reads of it hide the same ones. That is what `source` says; at any
// other one the value counts for nothing. Metrics ascend, and those that nobody
// asked for yet are missing.
#ifndef WATERFLOW_STORAGE_FORMAT_LATEST_H_
#define WATERFLOW_STORAGE_FORMAT_LATEST_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "storage/model/ids.h"
#include "storage/model/metric_statistics.h"

namespace waterflow::storage {

std::string LatestKey(RunId run);

// Rows of one run that a reader of it, or of a fork, may see.
struct LatestPart {
  RunId run;
  uint64_t rows = 0;
  // Of what a fork reads of it.
  struct Cut {
    uint32_t last_attempt = 0;
    int64_t steps_below = 0;
  };
  std::optional<Cut> cut;
  std::vector<std::pair<uint32_t, int64_t>> hiding_steps;  // by attempt
};
void AppendLatestPart(const LatestPart& part, std::string* source);

struct LatestEntry {
  MetricId metric;
  std::optional<MetricStatistics> statistics;  // absent: no worker has a point
};

// `entries` ascend.
std::string EncodeLatest(absl::string_view source,
                         const std::vector<LatestEntry>& entries);

// Reads a value front to back; views into it, which must outlive this.
class LatestReader {
 public:
  // Of a value that was derived from `source`. False: it was derived from
  // something else, or is damaged.
  bool Open(absl::string_view value, absl::string_view source);
  // False: that was the last one. What is damaged behind a good checksum, which
  // only an enemy makes, ends it too.
  bool Next(LatestEntry* entry);

 private:
  absl::string_view rest_;
  uint64_t left_ = 0;
  uint64_t metric_ = 0;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_FORMAT_LATEST_H_
