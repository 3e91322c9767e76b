#include "storage/ingest/head_source.h"

#include "storage/format/batch.h"

namespace waterflow::storage {
namespace {

// Of what a head holds; by its first and its last step.
StripGrid GridOf(const Head& head, absl::Span<const HeadBatchView> batches,
                 uint32_t strip_rows) {
  if (batches.empty() || !batches.front().has_step ||
      !batches.back().has_step) {
    return StripGrid(strip_rows);
  }
  BatchView first;
  BatchView last;
  // They were parsed before they were stored.
  if (!ParseBatch(batches.front().body, &first).ok() ||
      !ParseBatch(batches.back().body, &last).ok()) {
    return StripGrid(strip_rows);
  }
  return StripGrid(strip_rows, head.first_row, head.end_row - head.first_row,
                   first.step(batches.front().skip),
                   last.step(batches.back().rows - 1));
}

}  // namespace

HeadSource::HeadSource(const HeadTable& table)
    : metric_count_(static_cast<uint32_t>(table.schema->metrics.size())),
      reader_(metric_count_) {
  for (const auto& [worker, head] : table.heads) {
    heads_.emplace_back(head->batches.begin(), head->batches.end());
    PlanStrips(worker, head->first_row, heads_.back(),
               GridOf(*head, heads_.back(), StripRows(metric_count_)), &plans_);
    head_of_.resize(plans_.size(), heads_.size() - 1);
  }
  for (const StripPlan& plan : plans_) strips_.push_back(plan.strip);
}

absl::Status HeadSource::Read(size_t strip, uint32_t /*first_metric*/,
                              uint32_t /*count*/, StripColumns* out) {
  return reader_.Read(plans_[strip], heads_[head_of_[strip]], out);
}

}  // namespace waterflow::storage
