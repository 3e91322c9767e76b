#include "storage/query/lineage.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "storage/query/last_values.h"

namespace waterflow::storage {
namespace {

// `later` was logged behind `earlier`.
LastValue Join(const LastValue& earlier, const LastValue& later) {
  const auto position = [](const LastValue& v) {
    return std::tuple(v.step.has_value(), v.step.value_or(0), v.time_ns);
  };
  LastValue joined = position(later) < position(earlier) ? earlier : later;
  joined.count = earlier.count + later.count;
  joined.nan_count = earlier.nan_count + later.nan_count;
  joined.pos_inf_count = earlier.pos_inf_count + later.pos_inf_count;
  joined.neg_inf_count = earlier.neg_inf_count + later.neg_inf_count;
  // Without a finite value, these are NaN.
  const LastValue& finite = later.count == 0 ? earlier : later;
  joined.min = finite.min;
  joined.max = finite.max;
  joined.mean = finite.mean;
  if (earlier.count > 0 && later.count > 0) {
    joined.min = std::min(earlier.min, later.min);
    joined.max = std::max(earlier.max, later.max);
    // Two means may be further apart than a double goes.
    const long double mean = earlier.mean;
    joined.mean = static_cast<double>(mean + (later.mean - mean) * later.count /
                                                 joined.count);
  }
  return joined;
}

}  // namespace

LineageReader::LineageReader(const Lineage& lineage, const Database* database,
                             LiveState* state) {
  // Only a fork meets a worker twice.
  const bool is_fork = lineage.runs.size() > 1;
  absl::flat_hash_map<Worker, WorkerId> ids;
  for (auto view = lineage.runs.rbegin(); view != lineage.runs.rend(); ++view) {
    Snapshot snapshot = state->TakeSnapshot(
        view->id, view->SchemasRead(),
        view->selected.has_value() ? &*view->selected : nullptr);
    position_ = std::max(position_, snapshot.position);
    SealedReader sealed(database, view->id, snapshot.generations);
    auto source = std::make_unique<LineageSource>(
        LineageSource{.view = &*view,
                      .snapshot = std::move(snapshot),
                      .sealed = std::move(sealed),
                      .worker_ids = {}});
    for (const Worker& worker : view->workers) {
      const WorkerId next{static_cast<uint32_t>(workers_.size())};
      const WorkerId id =
          is_fork ? ids.try_emplace(worker, next).first->second : next;
      if (id == next) workers_.push_back(worker);
      source->worker_ids.push_back(id);
    }
    sources_.push_back(std::move(source));
  }
  std::vector<uint32_t> by_rank(workers_.size());
  std::iota(by_rank.begin(), by_rank.end(), 0);
  const auto before = [this](uint32_t a, uint32_t b) {
    return workers_[a] < workers_[b];
  };
  if (!std::is_sorted(by_rank.begin(), by_rank.end(), before)) {
    std::sort(by_rank.begin(), by_rank.end(), before);
  }
  ranks_.resize(workers_.size());
  for (uint32_t rank = 0; rank < by_rank.size(); ++rank) {
    ranks_[by_rank[rank]] = rank;
  }
}

std::vector<const WorkerPlan*> LineageReader::ByRank(
    const MetricPlan& plan) const {
  std::vector<const WorkerPlan*> all;
  for (const WorkerPlan& worker : plan.workers()) all.push_back(&worker);
  std::sort(all.begin(), all.end(),
            [this](const WorkerPlan* a, const WorkerPlan* b) {
              return ranks_[a->worker.value] < ranks_[b->worker.value];
            });
  return all;
}

absl::StatusOr<MetricPlan> LineageReader::Plan(size_t metric,
                                               const PointFilter& filter) {
  MetricPlan plan;
  absl::Status made = plan.Make(sources_, metric, filter);
  if (!made.ok()) return made;
  return plan;
}

absl::StatusOr<std::vector<LastValue>> LineageReader::ReadLastValues() {
  std::vector<LastValue> all;
  for (const auto& source : sources_) {
    absl::StatusOr<std::vector<LastValue>> values = storage::ReadLastValues(
        *source->view, source->snapshot, &source->sealed);
    if (!values.ok()) return values.status();
    if (all.empty()) {
      all = *std::move(values);
      continue;
    }
    // Both are in order.
    std::vector<LastValue> joined;
    auto mine = all.begin();
    for (LastValue& value : *values) {
      const auto key = [](const LastValue& v) {
        return std::tie(v.metric, v.worker);
      };
      while (mine != all.end() && key(*mine) < key(value)) {
        joined.push_back(std::move(*mine++));
      }
      const bool both = mine != all.end() && key(*mine) == key(value);
      joined.push_back(both ? Join(*mine++, value) : std::move(value));
    }
    std::move(mine, all.end(), std::back_inserter(joined));
    all = std::move(joined);
  }
  return all;
}

}  // namespace waterflow::storage
