#include "server/convert_workers.h"

#include "absl/strings/str_cat.h"
#include "server/convert.h"

namespace waterflow::server {

absl::StatusOr<storage::RankWorkersSpec> FromProto(
    const v1::RankWorkersRequest& request) {
  storage::RankWorkersSpec spec;
  const absl::StatusOr<storage::Uuid> run =
      RunIdFromProto("run_id", request.run_id());
  if (!run.ok()) return run.status();
  spec.run = *run;
  spec.metric = request.metric();
  spec.workers = WorkersFromProto(request.workers());
  if (request.has_step_range()) {
    spec.step_range = IntervalFromProto(request.step_range());
  }
  if (request.has_time_range()) {
    spec.time_range = IntervalFromProto(request.time_range());
  }
  if (!v1::WorkerStatistic_IsValid(request.by())) {
    return absl::InvalidArgumentError(
        absl::StrCat("by: ", request.by(), " is not a WorkerStatistic"));
  }
  if (request.by() != v1::WORKER_STATISTIC_UNSPECIFIED) {
    spec.by = static_cast<storage::WorkerStatistic>(request.by());
  }
  spec.lowest_first = request.lowest_first();
  spec.limit = request.limit();
  spec.min_deviation = request.min_deviation();
  return spec;
}

absl::StatusOr<storage::StragglersSpec> FromProto(
    const v1::StragglersRequest& request) {
  storage::StragglersSpec spec;
  const absl::StatusOr<storage::Uuid> run =
      RunIdFromProto("run_id", request.run_id());
  if (!run.ok()) return run.status();
  spec.run = *run;
  spec.workers = WorkersFromProto(request.workers());
  if (request.has_step_range()) {
    spec.step_range = IntervalFromProto(request.step_range());
  }
  spec.limit = request.limit();
  return spec;
}

absl::StatusOr<storage::MissingSpec> FromProto(
    const v1::MissingRequest& request) {
  storage::MissingSpec spec;
  const absl::StatusOr<storage::Uuid> run =
      RunIdFromProto("run_id", request.run_id());
  if (!run.ok()) return run.status();
  spec.run = *run;
  if (request.has_step()) spec.step = request.step();
  return spec;
}

void ToProto(const storage::WorkerRanking& ranking,
             v1::RankWorkersResponse* out) {
  for (const storage::RankedWorker& ranked : ranking.workers) {
    v1::RankedWorker* const to = out->add_workers();
    ToProto(ranked.worker, to->mutable_worker());
    to->set_value(ranked.value);
    to->set_deviation(ranked.deviation);
    AddBuckets({&ranked.points, 1}, /*reduced=*/false, to->mutable_points());
  }
  out->set_worker_count(ranking.worker_count);
  out->set_median(ranking.median);
  out->set_mad(ranking.mad);
}

void ToProto(const storage::Stragglers& stragglers,
             v1::StragglersResponse* out) {
  out->set_metric(stragglers.metric);
  out->set_unit(stragglers.unit);
  for (const storage::Straggler& straggler : stragglers.workers) {
    v1::Straggler* const to = out->add_workers();
    ToProto(straggler.worker, to->mutable_worker());
    to->set_mean(straggler.mean);
    to->set_max(straggler.max);
    to->set_deviation(straggler.deviation);
    to->set_slowest_steps(straggler.slowest_steps);
  }
  out->set_worker_count(stragglers.worker_count);
  out->set_step_count(stragglers.step_count);
  out->set_median(stragglers.median);
}

void ToProto(const storage::MissingWorkers& missing, v1::MissingResponse* out) {
  out->set_step(missing.step);
  for (const storage::MissingWorker& worker : missing.workers) {
    v1::MissingWorker* const to = out->add_workers();
    ToProto(worker.worker, to->mutable_worker());
    if (worker.last_step.has_value()) to->set_last_step(*worker.last_step);
    to->set_last_seen_ns(worker.last_seen_ns);
  }
  out->set_worker_count(missing.worker_count);
}

}  // namespace waterflow::server
