// Fills buckets with a worker's points: from the summaries of strips and of
// their spans where one lies in one bucket, from the points where not.
#ifndef WATERFLOW_STORAGE_QUERY_BUCKET_FILLER_H_
#define WATERFLOW_STORAGE_QUERY_BUCKET_FILLER_H_

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "storage/format/summary.h"
#include "storage/query/bucket.h"
#include "storage/query/metric_plan.h"
#include "storage/query/series.h"

namespace waterflow::storage {

class BucketFiller {
 public:
  // All must outlive it.
  BucketFiller(const PointFilter& filter, SeriesReader* reader,
               ReadCounts* counts)
      : filter_(filter), reader_(reader), counts_(counts) {}

  // `order` is the worker's place among all. DATA_LOSS names a bad block.
  absl::Status Fill(const WorkerPlan& worker, uint32_t order,
                    BucketTable* buckets);

 private:
  absl::Status FillFromStrip(const PlannedStrip& planned, uint32_t order,
                             BucketTable* buckets);
  // Nothing: the strip has none. Its spans are there only after ReadSpans.
  absl::StatusOr<const StripSummary*> SummaryOf(const PlannedStrip& planned);
  absl::Status ReadSpans(const PlannedStrip& planned);
  // Where rows of the strip lie on the axis.
  absl::Status LoadPositions(const PlannedStrip& planned);
  int64_t PositionOfRow(uint32_t row) const;
  // What is known of these rows, unless it takes the points themselves.
  std::optional<Piece> ToPiece(const Summary& summary, uint32_t order) const;

  const PointFilter& filter_;
  SeriesReader* const reader_;
  ReadCounts* const counts_;
  Series series_;
  // Summaries that were read lately, by the rows that they are of: workers
  // share them.
  struct Kept {
    std::vector<StripSummary> strips;
    bool with_spans = false;
  };
  absl::flat_hash_map<std::pair<const SealedRows*, uint32_t>, Kept> summaries_;
  size_t kept_summaries_ = 0;
  // Positions of the strip at hand.
  const PlannedStrip* planned_ = nullptr;
  std::optional<Progression> progression_;
  StripColumns columns_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_BUCKET_FILLER_H_
