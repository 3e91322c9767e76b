#include "storage/ingest/head_source.h"

namespace waterflow::storage {

HeadSource::HeadSource(const HeadTable& table)
    : metric_count_(static_cast<uint32_t>(table.schema->metrics.size())),
      reader_(metric_count_) {
  for (const auto& [worker, head] : table.heads) {
    heads_.emplace_back(head->batches.begin(), head->batches.end());
    PlanStrips(worker, head->first_row, heads_.back(), StripRows(metric_count_),
               &plans_);
    head_of_.resize(plans_.size(), heads_.size() - 1);
  }
  for (const StripPlan& plan : plans_) strips_.push_back(plan.strip);
}

absl::Status HeadSource::Read(size_t strip, uint32_t /*first_metric*/,
                              uint32_t /*count*/, StripColumns* out) {
  return reader_.Read(plans_[strip], heads_[head_of_[strip]], out);
}

}  // namespace waterflow::storage
