// Where the strips of a generation come from: heads that are sealed, or older
// generations that are merged. One writer serves both.
#ifndef WATERFLOW_STORAGE_INGEST_STRIP_SOURCE_H_
#define WATERFLOW_STORAGE_INGEST_STRIP_SOURCE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "storage/format/axis.h"
#include "storage/ingest/strip_builder.h"

namespace waterflow::storage {

// All rows of one schema of a run.
class StripSource {
 public:
  virtual ~StripSource() = default;

  virtual uint32_t metric_count() const = 0;
  // By worker, then row. Set are worker, attempt, has_step, time_stamped,
  // first_row and rows.
  virtual absl::Span<const Strip> strips() const = 0;
  // How many metrics should be read at once: a source of heads has them all in
  // one place.
  virtual uint32_t metrics_at_once() const = 0;
  // Reads `count` metrics of a strip. Steps and times come with the first
  // metric only. Strips are asked for in order, some of them again for the next
  // metrics.
  virtual absl::Status Read(size_t strip, uint32_t first_metric, uint32_t count,
                            StripColumns* out) = 0;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_INGEST_STRIP_SOURCE_H_
