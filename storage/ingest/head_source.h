// The heads of one schema as strips, for the writer of generations.
#ifndef WATERFLOW_STORAGE_INGEST_HEAD_SOURCE_H_
#define WATERFLOW_STORAGE_INGEST_HEAD_SOURCE_H_

#include <vector>

#include "storage/ingest/head.h"
#include "storage/ingest/strip_source.h"

namespace waterflow::storage {

class HeadSource : public StripSource {
 public:
  // The table must outlive it.
  explicit HeadSource(const HeadTable& table);

  uint32_t metric_count() const override { return metric_count_; }
  absl::Span<const Strip> strips() const override { return strips_; }
  uint32_t metrics_at_once() const override { return metric_count_; }
  absl::Status Read(size_t strip, uint32_t first_metric, uint32_t count,
                    StripColumns* out) override;

 private:
  const uint32_t metric_count_;
  std::vector<std::vector<HeadBatchView>> heads_;
  std::vector<StripPlan> plans_;
  std::vector<size_t> head_of_;  // by plan
  std::vector<Strip> strips_;
  StripReader reader_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_INGEST_HEAD_SOURCE_H_
