#include "storage/query/select.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/model/limits.h"
#include "storage/model/names.h"
#include "storage/query/check.h"

namespace waterflow::storage {
namespace {

absl::Status CheckRuns(size_t runs,
                       const std::optional<RunFilter>& run_filter) {
  if (!run_filter.has_value()) {
    return CheckCount("run_ids", runs, 1, kMaxReadRuns);
  }
  if (runs > 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("run_ids: ", runs,
                     " given beside a run_filter, which takes their place"));
  }
  if (run_filter->limit > kMaxReadRuns) {
    return absl::InvalidArgumentError(absl::StrCat(
        "run_filter.limit ", run_filter->limit, ": at most ", kMaxReadRuns));
  }
  return absl::OkStatus();
}

absl::Status CheckWorkers(const WorkerFilter& filter) {
  for (const absl::Status& s :
       {CheckCount("ranks", filter.ranks.size(), 0, kMaxRankRanges),
        CheckCount("roles", filter.roles.size(), 0, kMaxRoles)}) {
    if (!s.ok()) return s;
  }
  for (size_t i = 0; i < filter.ranks.size(); ++i) {
    const RankRange& range = filter.ranks[i];
    if (range.first > range.last) {
      return absl::InvalidArgumentError(
          absl::StrCat("ranks[", i, "]: first ", range.first, " is after last ",
                       range.last));
    }
  }
  for (size_t i = 0; i < filter.roles.size(); ++i) {
    if (absl::Status s = CheckName(absl::StrCat("roles[", i, "]"),
                                   filter.roles[i], 0, kMaxWorkerRoleBytes);
        !s.ok()) {
      return s;
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckSelection(size_t runs,
                            const std::optional<RunFilter>& run_filter,
                            size_t metrics, const MetricPatterns& patterns,
                            const WorkerFilter& worker_filter) {
  if (absl::Status s = CheckRuns(runs, run_filter); !s.ok()) return s;
  if (absl::Status s = CheckCount("metrics", metrics, patterns.empty() ? 1 : 0,
                                  kMaxReadMetrics);
      !s.ok()) {
    return s;
  }
  return CheckWorkers(worker_filter);
}

void KeepWorkers(const WorkerFilter& filter, RunView* view) {
  if (filter.empty()) return;
  absl::flat_hash_set<WorkerId> kept;
  for (uint32_t i = 0; i < view->workers.size(); ++i) {
    const bool selected =
        !view->selected.has_value() || view->selected->contains(WorkerId{i});
    if (selected && filter.Takes(view->workers[i])) kept.insert(WorkerId{i});
  }
  view->selected = std::move(kept);
  std::erase_if(view->lost, [&](const LostRange& lost) {
    return !filter.Takes(lost.worker);
  });
}

}  // namespace waterflow::storage
