// Listing the metrics of a run, a page at a time.
#include <algorithm>
#include <utility>

#include "storage/engine_core.h"
#include "storage/model/limits.h"
#include "storage/query/metric_listing.h"

namespace waterflow::storage {
namespace {

// Metrics that are looked at under one hold of the lock.
constexpr size_t kStretch = 4096;

size_t BytesOf(const Metric& metric) {
  return metric.name.size() + metric.unit.size() + metric.description.size() +
         metric.role.size() + metric.step_metric.size() + 16;
}

}  // namespace

absl::Status EngineCore::ForEachMetric(
    const Uuid& run,
    const std::function<void(MetricId, const std::string& name)>& take) {
  // A level of the lineage after the other; each ascends by id.
  for (size_t level = 0;; ++level) {
    std::optional<MetricId> last;
    bool more = true;
    while (more) {
      MutexLock lock(&mutex_);
      absl::StatusOr<const RunState*> found = catalog_.FindRun(run);
      if (!found.ok()) return found.status();
      const std::vector<const RunState*> states = LineageStates(**found);
      if (level >= states.size()) return absl::OkStatus();
      const auto& places = states[level]->places;
      auto it = last.has_value() ? places.upper_bound(*last) : places.begin();
      for (size_t i = 0; i < kStretch && it != places.end(); ++i, ++it) {
        last = it->first;
        take(it->first, catalog_.MetricName(it->first));
      }
      more = it != places.end();
    }
  }
}

absl::StatusOr<MetricPage> EngineCore::FindMetrics(const MetricListSpec& spec) {
  absl::StatusOr<MetricListing> listing = MetricListing::Make(spec);
  if (!listing.ok()) return listing.status();
  if (absl::Status s = ForEachMetric(spec.run,
                                     [&](MetricId id, const std::string& name) {
                                       listing->Add(id, name);
                                     });
      !s.ok()) {
    return s;
  }
  bool more = false;
  const std::vector<MetricListing::Entry> entries = listing->TakePage(&more);
  MetricPage page;
  page.total = listing->total();
  size_t bytes = 0;
  for (size_t begin = 0; begin < entries.size(); begin += kStretch) {
    MutexLock lock(&mutex_);
    absl::StatusOr<const RunState*> found = catalog_.FindRun(spec.run);
    if (!found.ok()) return found.status();
    const std::vector<const RunState*> states = LineageStates(**found);
    const size_t end = std::min(begin + kStretch, entries.size());
    for (size_t i = begin; i < end; ++i) {
      const MetricListing::Entry& entry = entries[i];
      if (entry.folder_metrics > 0) {
        page.folders.push_back({entry.name, entry.folder_metrics});
        bytes += entry.name.size();
      } else {
        page.metrics.push_back(MetadataOf(states, entry.metric, entry.name));
        bytes += BytesOf(page.metrics.back());
      }
      const bool last = i + 1 == entries.size();
      if (bytes < kMaxMetricPageBytes && !last) continue;
      if (!last || more) page.next_page_token = listing->TokenBehind(entry);
      return page;
    }
  }
  return page;
}

}  // namespace waterflow::storage
