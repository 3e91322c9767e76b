// What a question says beyond names (patterns, filters, derivations), and what
// it asks of ListMetrics and Tail, as structs of storage/.
#ifndef WATERFLOW_SERVER_CONVERT_QUESTION_H_
#define WATERFLOW_SERVER_CONVERT_QUESTION_H_

#include <google/protobuf/repeated_ptr_field.h>

#include <vector>

#include "absl/status/statusor.h"
#include "storage/derivation.h"
#include "storage/metric_list.h"
#include "storage/selection.h"
#include "storage/tail.h"
#include "waterflow/v1/query.pb.h"

namespace waterflow::server {

storage::RunFilter FromProto(const v1::RunFilter& filter);

// INVALID_ARGUMENT: one that says nothing.
absl::StatusOr<std::vector<storage::Derivation>> FromProto(
    const google::protobuf::RepeatedPtrField<v1::Derivation>& derivations);

absl::StatusOr<storage::MetricListSpec> FromProto(
    const v1::ListMetricsRequest& request);
void ToProto(const storage::MetricPage& page, v1::ListMetricsResponse* out);

absl::StatusOr<storage::TailSpec> FromProto(const v1::TailRequest& request);
void ToProto(const storage::TailBatch& batch, v1::TailResponse* out);

// ---- fields that ReadRequest and TailRequest both have ----
template <typename Request>
storage::MetricPatterns PatternsFromProto(const Request& request) {
  return {
      .globs = {request.metric_globs().begin(), request.metric_globs().end()},
      .regexes = {request.metric_regexes().begin(),
                  request.metric_regexes().end()}};
}

template <typename Request>
storage::WorkerFilter WorkerFilterFromProto(const Request& request) {
  storage::WorkerFilter filter;
  for (const v1::RankRange& range : request.ranks()) {
    storage::RankRange& ranks = filter.ranks.emplace_back();
    if (range.has_first()) ranks.first = range.first();
    if (range.has_last()) ranks.last = range.last();
  }
  filter.roles.assign(request.roles().begin(), request.roles().end());
  return filter;
}

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_CONVERT_QUESTION_H_
