#include "server/convert_question.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/convert.h"
#include "server/wire.h"

namespace waterflow::server {
namespace {

absl::StatusOr<storage::Derivation> DerivationFromProto(
    const v1::Derivation& derivation, const std::string& field) {
  switch (derivation.kind_case()) {
    case v1::Derivation::kEma: {
      storage::Ema ema;
      if (derivation.ema().has_weight()) ema.weight = derivation.ema().weight();
      if (derivation.ema().has_half_life()) {
        ema.half_life = derivation.ema().half_life();
      }
      return ema;
    }
    case v1::Derivation::kRate:
      if (!v1::RateUnit_IsValid(derivation.rate().per())) {
        return absl::InvalidArgumentError(
            absl::StrCat(field, ".rate.per: ", derivation.rate().per(),
                         " is not a RateUnit"));
      }
      return storage::Rate{
          static_cast<storage::RateUnit>(derivation.rate().per())};
    case v1::Derivation::kCumulative:
      return storage::Cumulative{};
    case v1::Derivation::kDifference:
      return storage::Difference{derivation.difference().metric(),
                                 derivation.difference().other()};
    case v1::Derivation::kRatio:
      return storage::Ratio{derivation.ratio().metric(),
                            derivation.ratio().other()};
    case v1::Derivation::KIND_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": says none that this server knows"));
}

}  // namespace

storage::RunFilter FromProto(const v1::RunFilter& filter) {
  return {.filter = filter.filter(),
          .projects = {filter.projects().begin(), filter.projects().end()},
          .order_by = {filter.order_by().begin(), filter.order_by().end()},
          .limit = filter.limit()};
}

absl::StatusOr<std::vector<storage::Derivation>> FromProto(
    const google::protobuf::RepeatedPtrField<v1::Derivation>& derivations) {
  std::vector<storage::Derivation> all;
  for (int i = 0; i < derivations.size(); ++i) {
    absl::StatusOr<storage::Derivation> derivation = DerivationFromProto(
        derivations[i], absl::StrCat("derivations[", i, "]"));
    if (!derivation.ok()) return derivation.status();
    all.push_back(*std::move(derivation));
  }
  return all;
}

absl::StatusOr<storage::MetricListSpec> FromProto(
    const v1::ListMetricsRequest& request) {
  const absl::StatusOr<storage::Uuid> run =
      RunIdFromProto("run_id", request.run_id());
  if (!run.ok()) return run.status();
  return storage::MetricListSpec{.run = *run,
                                 .prefix = request.prefix(),
                                 .contains = request.contains(),
                                 .fuzzy = request.fuzzy(),
                                 .tree = request.tree(),
                                 .page_size = request.page_size(),
                                 .page_token = request.page_token()};
}

void ToProto(const storage::MetricPage& page, v1::ListMetricsResponse* out) {
  for (const storage::Metric& metric : page.metrics) {
    ToProto(metric, out->add_metrics());
  }
  for (const storage::MetricFolder& folder : page.folders) {
    v1::MetricFolder* const to = out->add_folders();
    to->set_prefix(folder.prefix);
    to->set_metrics(folder.metrics);
  }
  out->set_next_page_token(page.next_page_token);
  out->set_total(page.total);
}

absl::StatusOr<storage::TailSpec> FromProto(const v1::TailRequest& request) {
  storage::TailSpec spec;
  absl::StatusOr<std::vector<storage::Uuid>> runs =
      RunIdsFromProto("run_ids", request.run_ids());
  if (!runs.ok()) return runs.status();
  storage::Selection& selection = spec.selection;
  selection.runs = *std::move(runs);
  if (request.has_run_filter()) {
    selection.run_filter = FromProto(request.run_filter());
  }
  selection.metrics.assign(request.metrics().begin(), request.metrics().end());
  selection.metric_patterns = PatternsFromProto(request);
  selection.workers = WorkersFromProto(request.workers());
  selection.worker_filter = WorkerFilterFromProto(request);
  spec.last_rows = request.last_rows();
  spec.resume_token = request.resume_token();
  return spec;
}

void ToProto(const storage::TailBatch& batch, v1::TailResponse* out) {
  for (const storage::TailPart& part : batch.parts) {
    v1::TailPart* const to = out->add_parts();
    ToProto(part.series, 0, part.series.points.size(), to->mutable_series());
    to->set_attempt(part.attempt);
  }
  out->set_resume_token(batch.resume_token);
  if (batch.position.has_value()) {
    out->set_position(EncodeToken(*batch.position));
  }
}

}  // namespace waterflow::server
