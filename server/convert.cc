#include "server/convert.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/convert_question.h"
#include "server/wire.h"

namespace waterflow::server {
namespace {

constexpr size_t kMaxStatusMessageBytes = 1024;

// An open enum may hold any number; one that does not fit must not come out as
// a known value, so it becomes one that the store refuses.
template <typename To>
To EnumFromProto(int number) {
  return static_cast<To>(number >= 0 && number < 255 ? number : 255);
}

std::string ToString(absl::string_view text) { return std::string(text); }

absl::StatusOr<storage::Axis> AxisFromProto(v1::Axis axis) {
  switch (axis) {
    case v1::AXIS_UNSPECIFIED:
    case v1::AXIS_STEP:
      return storage::Axis::kStep;
    case v1::AXIS_TIME:
      return storage::Axis::kTime;
    case v1::AXIS_RELATIVE_TIME:
      return storage::Axis::kRelativeTime;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("axis: ", axis, " is not an Axis"));
  }
}

void AddLost(const storage::LostRange& lost, v1::LostRange* out) {
  out->set_run_id(lost.run.ToHex());
  ToProto(lost.worker, out->mutable_worker());
  for (const std::string& metric : lost.metrics) out->add_metrics(metric);
  out->set_first_row(lost.first_row);
  out->set_end_row(lost.end_row);
}

void AddPoints(const storage::Points& points, size_t from, size_t to,
               v1::SeriesPart* out) {
  const auto add = [&](const auto& column, auto* field) {
    field->Add(column.begin() + from, column.begin() + to);
  };
  add(points.steps, out->mutable_steps());
  add(points.times_ns, out->mutable_times_ns());
  add(points.values, out->mutable_values());
  if (!points.has_step.empty()) add(points.has_step, out->mutable_has_step());
  if (!points.time_stamped.empty()) {
    add(points.time_stamped, out->mutable_time_stamped());
  }
}

}  // namespace

void AddBuckets(absl::Span<const storage::Bucket> buckets, bool reduced,
                v1::Buckets* out) {
  // Field by field: each becomes one stretch of memory.
  const auto add = [&](auto* field, auto storage::Bucket::*member) {
    field->Reserve(field->size() + static_cast<int>(buckets.size()));
    for (const storage::Bucket& bucket : buckets) {
      field->AddAlreadyReserved(bucket.*member);
    }
  };
  using storage::Bucket;
  add(out->mutable_first_position(), &Bucket::first_position);
  add(out->mutable_last_position(), &Bucket::last_position);
  add(out->mutable_count(), &Bucket::count);
  add(out->mutable_nan_count(), &Bucket::nan_count);
  add(out->mutable_pos_inf_count(), &Bucket::pos_inf_count);
  add(out->mutable_neg_inf_count(), &Bucket::neg_inf_count);
  add(out->mutable_value(), &Bucket::value);
  add(out->mutable_mean(), &Bucket::mean);
  add(out->mutable_stddev(), &Bucket::stddev);
  add(out->mutable_min(), &Bucket::min);
  add(out->mutable_max(), &Bucket::max);
  add(out->mutable_min_position(), &Bucket::min_position);
  add(out->mutable_max_position(), &Bucket::max_position);
  add(out->mutable_first(), &Bucket::first);
  add(out->mutable_last(), &Bucket::last);
  if (!reduced) return;
  add(out->mutable_min_worker(), &Bucket::min_worker);
  add(out->mutable_max_worker(), &Bucket::max_worker);
}

storage::Interval IntervalFromProto(const v1::Range& range) {
  storage::Interval interval;
  if (range.has_first()) interval.first = range.first();
  if (range.has_last()) interval.last = range.last();
  return interval;
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return {static_cast<grpc::StatusCode>(status.code()),
          ToString(status.message().substr(0, kMaxStatusMessageBytes))};
}

absl::StatusOr<storage::Uuid> RunIdFromProto(absl::string_view field,
                                             absl::string_view hex) {
  absl::StatusOr<storage::Uuid> id = storage::Uuid::FromHex(hex);
  if (id.ok()) return id;
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": ", id.status().message()));
}

absl::StatusOr<std::vector<storage::Uuid>> RunIdsFromProto(
    absl::string_view field,
    const google::protobuf::RepeatedPtrField<std::string>& hex) {
  std::vector<storage::Uuid> ids;
  for (int i = 0; i < hex.size(); ++i) {
    const absl::StatusOr<storage::Uuid> id =
        RunIdFromProto(absl::StrCat(field, "[", i, "]"), hex[i]);
    if (!id.ok()) return id.status();
    ids.push_back(*id);
  }
  return ids;
}

std::optional<std::vector<storage::Worker>> WorkersFromProto(
    const google::protobuf::RepeatedPtrField<v1::Worker>& workers) {
  if (workers.empty()) return std::nullopt;
  std::vector<storage::Worker> all;
  all.reserve(workers.size());
  for (const v1::Worker& worker : workers) all.push_back(FromProto(worker));
  return all;
}

storage::Worker FromProto(const v1::Worker& worker) {
  return {worker.role(), worker.rank()};
}

void ToProto(const storage::Worker& worker, v1::Worker* out) {
  out->set_role(worker.role);
  out->set_rank(worker.rank);
}

storage::Metric FromProto(const v1::Metric& metric) {
  return {.name = metric.name(),
          .unit = metric.unit(),
          .description = metric.description(),
          .goal = EnumFromProto<storage::Goal>(metric.goal()),
          .reduction = EnumFromProto<storage::Reduction>(metric.reduction()),
          .role = metric.role(),
          .step_metric = metric.step_metric()};
}

void ToProto(const storage::Metric& metric, v1::Metric* out) {
  out->set_name(metric.name);
  out->set_unit(metric.unit);
  out->set_description(metric.description);
  out->set_goal(static_cast<v1::Goal>(metric.goal));
  out->set_reduction(static_cast<v1::Reduction>(metric.reduction));
  out->set_role(metric.role);
  out->set_step_metric(metric.step_metric);
}

storage::Tags FromProto(
    const google::protobuf::Map<std::string, std::string>& tags) {
  return {tags.begin(), tags.end()};
}

void ToProto(const storage::Tags& tags,
             google::protobuf::Map<std::string, std::string>* out) {
  for (const auto& [key, value] : tags) (*out)[key] = value;
}

storage::RunStatus FromProto(v1::RunStatus status) {
  return EnumFromProto<storage::RunStatus>(status);
}

void ToProto(const storage::Project& project, v1::Project* out) {
  out->set_id(project.id.value);
  out->set_name(project.name);
  ToProto(project.tags, out->mutable_tags());
  out->set_created_ns(project.created_ns);
  out->set_updated_ns(project.updated_ns);
  out->set_run_count(project.run_count);
  out->set_retention_age_ns(project.retention_age_ns);
  out->set_max_rows_per_second(project.max_rows_per_second);
  out->set_max_disk_bytes(project.max_disk_bytes);
  out->set_disk_bytes(project.disk_bytes);
}

void ToProto(const storage::Run& run, v1::Run* out) {
  out->set_id(run.id.ToHex());
  out->set_project(run.project);
  out->set_name(run.name);
  out->set_status(static_cast<v1::RunStatus>(run.status));
  out->set_start_ns(run.start_ns);
  out->set_end_ns(run.end_ns);
  ToProto(run.params, out->mutable_params());
  ToProto(run.tags, out->mutable_tags());
  out->set_key(run.key);
  out->set_created_ns(run.created_ns);
  out->set_updated_ns(run.updated_ns);
  out->set_worker_count(run.worker_count);
  out->set_row_count(run.row_count);
  out->set_value_count(run.value_count);
  out->set_attempt(run.attempt);
  if (run.forked_from.has_value()) {
    out->mutable_forked_from()->set_run_id(run.forked_from->run.ToHex());
    out->mutable_forked_from()->set_step(run.forked_from->step);
  }
}

void ToProto(const storage::FoundRun& run, v1::FoundRun* out) {
  ToProto(run.run, out->mutable_run());
  for (const auto& [metric, value] : run.metrics) {
    (*out->mutable_metrics())[metric] = value;
  }
}

storage::SearchSpec FromProto(const v1::SearchRunsRequest& request) {
  return {.projects = {request.projects().begin(), request.projects().end()},
          .filter = request.filter(),
          .order_by = {request.order_by().begin(), request.order_by().end()},
          .page_size = request.page_size(),
          .page_token = request.page_token()};
}

void ToProto(const storage::WorkerInfo& worker, v1::WorkerInfo* out) {
  ToProto(worker.worker, out->mutable_worker());
  out->set_attempt(worker.attempt);
  out->set_world_size(worker.world_size);
  out->set_first_seen_ns(worker.first_seen_ns);
  out->set_last_seen_ns(worker.last_seen_ns);
  out->set_clock_offset_ns(worker.clock_offset_ns);
  out->set_rows(worker.rows);
}

absl::StatusOr<storage::StreamOptions> FromProto(const v1::Open& open) {
  storage::StreamOptions options;
  const absl::StatusOr<storage::Uuid> run =
      RunIdFromProto("open.run_id", open.run_id());
  if (!run.ok()) return run.status();
  options.run = *run;
  const absl::StatusOr<storage::Uuid> stream =
      storage::Uuid::FromBytes(open.stream_id());
  if (!stream.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("open.stream_id: has ",
                                                   open.stream_id().size(),
                                                   " bytes, 16 are expected"));
  }
  options.stream = *stream;
  options.worker = FromProto(open.worker());
  options.attempt = open.attempt() == 0 ? 1 : open.attempt();
  if (open.has_resume_step()) options.resume_step = open.resume_step();
  options.world_size = open.world_size();
  options.client_time_ns = open.client_time_ns();
  for (const v1::Lane& lane : open.held()) {
    options.held.push_back({lane.schema_id(), lane.next_row()});
  }
  return options;
}

absl::StatusOr<storage::WriteOptions> FromProto(v1::WriteRequest request) {
  storage::WriteOptions options;
  const absl::StatusOr<storage::Uuid> run =
      RunIdFromProto("run_id", request.run_id());
  if (!run.ok()) return run.status();
  options.run = *run;
  options.worker = FromProto(request.worker());
  options.points.reserve(request.points_size());
  for (v1::Point& point : *request.mutable_points()) {
    storage::PointToWrite& to = options.points.emplace_back();
    to.metric = std::move(*point.mutable_metric());
    to.value = point.value();
    if (point.has_step()) to.step = point.step();
    if (point.has_time_ns()) to.time_ns = point.time_ns();
  }
  options.request_id = std::move(*request.mutable_request_id());
  options.attempt = request.attempt() == 0 ? 1 : request.attempt();
  return options;
}

absl::StatusOr<storage::ReadSpec> FromProto(const v1::ReadRequest& request) {
  storage::ReadSpec spec;
  absl::StatusOr<std::vector<storage::Uuid>> runs =
      RunIdsFromProto("run_ids", request.run_ids());
  if (!runs.ok()) return runs.status();
  spec.runs = *std::move(runs);
  spec.metrics.assign(request.metrics().begin(), request.metrics().end());
  spec.workers = WorkersFromProto(request.workers());
  const absl::StatusOr<storage::Axis> axis = AxisFromProto(request.axis());
  if (!axis.ok()) return axis.status();
  spec.axis = *axis;
  if (request.has_step_range()) {
    spec.step_range = IntervalFromProto(request.step_range());
  }
  if (request.has_time_range()) {
    spec.time_range = IntervalFromProto(request.time_range());
  }
  spec.max_points = request.max_points();
  if (!v1::Reduction_IsValid(request.reduction())) {
    return absl::InvalidArgumentError(absl::StrCat(
        "reduction: ", request.reduction(), " is not a Reduction"));
  }
  spec.reduction = static_cast<storage::Reduction>(request.reduction());
  const absl::StatusOr<storage::Position> at_least =
      DecodeToken(request.at_least());
  if (!at_least.ok()) return at_least.status();
  spec.at_least = *at_least;
  spec.quantiles.assign(request.quantiles().begin(), request.quantiles().end());
  if (request.attempt() != 0) spec.attempt = request.attempt();
  spec.all_attempts = request.all_attempts();
  spec.metric_patterns = PatternsFromProto(request);
  if (request.has_run_filter())
    spec.run_filter = FromProto(request.run_filter());
  spec.worker_filter = WorkerFilterFromProto(request);
  absl::StatusOr<std::vector<storage::Derivation>> derivations =
      FromProto(request.derivations());
  if (!derivations.ok()) return derivations.status();
  spec.derivations = *std::move(derivations);
  return spec;
}

absl::StatusOr<storage::LastValuesSpec> FromProto(
    const v1::LastValuesRequest& request) {
  storage::LastValuesSpec spec;
  const absl::StatusOr<storage::Uuid> run =
      RunIdFromProto("run_id", request.run_id());
  if (!run.ok()) return run.status();
  spec.run = *run;
  spec.metrics.assign(request.metrics().begin(), request.metrics().end());
  spec.workers = WorkersFromProto(request.workers());
  return spec;
}

void ToProto(const storage::ReadSummary& summary, v1::ReadSummary* out) {
  out->set_exact(summary.exact);
  out->set_points_read(summary.points_read);
  out->set_points_summarised(summary.points_summarised);
  out->set_chunks_decoded(summary.chunks_decoded);
  out->set_chunks_summarised(summary.chunks_summarised);
  out->set_position(EncodeToken(summary.position));
  for (const storage::LostRange& lost : summary.lost) {
    AddLost(lost, out->add_lost());
  }
  for (const storage::AttemptBoundary& attempt : summary.attempts) {
    v1::AttemptBoundary* const to = out->add_attempts();
    to->set_run_id(attempt.run.ToHex());
    to->set_attempt(attempt.attempt);
    to->set_step(attempt.step);
  }
}

void ToProto(const storage::LastValue& value, v1::LastValue* out) {
  out->set_metric(value.metric);
  ToProto(value.worker, out->mutable_worker());
  out->set_value(value.value);
  if (value.step.has_value()) out->set_step(*value.step);
  out->set_time_ns(value.time_ns);
  out->set_count(value.count);
  out->set_nan_count(value.nan_count);
  out->set_pos_inf_count(value.pos_inf_count);
  out->set_neg_inf_count(value.neg_inf_count);
  out->set_min(value.min);
  out->set_max(value.max);
  out->set_mean(value.mean);
}

void ToProto(const storage::SeriesPart& part, size_t from, size_t to,
             v1::SeriesPart* out) {
  out->set_run_id(part.run.ToHex());
  out->set_metric(part.metric);
  out->set_reduction(static_cast<v1::Reduction>(part.reduction));
  if (part.worker.has_value()) ToProto(*part.worker, out->mutable_worker());
  if (part.buckets.empty()) {
    AddPoints(part.points, from, to, out);
    return;
  }
  v1::Buckets* buckets = out->mutable_buckets();
  AddBuckets(absl::MakeSpan(part.buckets).subspan(from, to - from),
             !part.worker.has_value(), buckets);
  for (const storage::Worker& worker : part.workers) {
    ToProto(worker, buckets->add_workers());
  }
  const size_t quantiles = part.quantiles.size() / part.buckets.size();
  buckets->mutable_quantiles()->Add(part.quantiles.begin() + from * quantiles,
                                    part.quantiles.begin() + to * quantiles);
  buckets->set_quantiles_sketched(!part.quantiles_exact);
}

}  // namespace waterflow::server
