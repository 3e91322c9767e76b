#include "server/convert_runs.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/convert.h"
#include "server/convert_question.h"

namespace waterflow::server {

storage::RunTableSpec FromProto(const v1::RunTableRequest& request) {
  return {.projects = {request.projects().begin(), request.projects().end()},
          .filter = request.filter(),
          .order_by = {request.order_by().begin(), request.order_by().end()},
          .page_size = request.page_size(),
          .page_token = request.page_token(),
          .columns = {request.columns().begin(), request.columns().end()}};
}

void ToProto(const storage::RunTablePart& part, v1::RunTableResponse* out) {
  for (const storage::Uuid& run : part.runs) out->add_run_ids(run.ToHex());
  for (const storage::TableColumn& column : part.columns) {
    v1::RunTableColumn* const to = out->add_columns();
    to->mutable_numbers()->Add(column.numbers.begin(), column.numbers.end());
    to->mutable_times_ns()->Add(column.times_ns.begin(), column.times_ns.end());
    for (const std::string& text : column.texts) to->add_texts(text);
    const bool all = std::find(column.has_value.begin(), column.has_value.end(),
                               false) == column.has_value.end();
    if (!all) {
      to->mutable_has_value()->Add(column.has_value.begin(),
                                   column.has_value.end());
    }
  }
}

absl::StatusOr<storage::BandsSpec> FromProto(const v1::BandsRequest& request) {
  storage::BandsSpec spec;
  absl::StatusOr<std::vector<storage::Uuid>> runs =
      RunIdsFromProto("run_ids", request.run_ids());
  if (!runs.ok()) return runs.status();
  spec.runs = *std::move(runs);
  if (request.has_run_filter()) {
    spec.run_filter = FromProto(request.run_filter());
  }
  spec.metric = request.metric();
  spec.x_metric = request.x_metric();
  if (!v1::Axis_IsValid(request.axis())) {
    return absl::InvalidArgumentError(
        absl::StrCat("axis: ", request.axis(), " is not an Axis"));
  }
  if (request.axis() != v1::AXIS_UNSPECIFIED) {
    spec.axis = static_cast<storage::Axis>(request.axis());
  }
  if (request.has_step_range()) {
    spec.step_range = IntervalFromProto(request.step_range());
  }
  spec.max_points = request.max_points();
  if (!v1::Reduction_IsValid(request.reduction())) {
    return absl::InvalidArgumentError(absl::StrCat(
        "reduction: ", request.reduction(), " is not a Reduction"));
  }
  if (request.reduction() != v1::REDUCTION_UNSPECIFIED) {
    spec.reduction = static_cast<storage::Reduction>(request.reduction());
  }
  spec.group_by.assign(request.group_by().begin(), request.group_by().end());
  return spec;
}

void ToProto(const storage::RunGroup& group, size_t from, size_t to,
             v1::RunGroup* out) {
  for (const std::optional<std::string>& text : group.key) {
    v1::GroupKey* const key = out->add_key();
    if (text.has_value()) key->set_text(*text);
  }
  for (const storage::Uuid& run : group.runs) out->add_run_ids(run.ToHex());
  AddBuckets(absl::MakeSpan(group.buckets).subspan(from, to - from),
             /*reduced=*/true, out->mutable_buckets());
  if (group.first_x.empty()) return;
  const auto add = [&](const std::vector<double>& column, auto* field) {
    field->Add(column.begin() + from, column.begin() + to);
  };
  add(group.first_x, out->mutable_first_x());
  add(group.last_x, out->mutable_last_x());
}

}  // namespace waterflow::server
