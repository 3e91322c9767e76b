// Between the messages of proto/waterflow/v1 and the structs of storage/: one
// function for each pair, no decisions of its own.
#ifndef WATERFLOW_SERVER_CONVERT_H_
#define WATERFLOW_SERVER_CONVERT_H_

#include <google/protobuf/map.h>
#include <google/protobuf/repeated_ptr_field.h>
#include <grpcpp/support/status.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "storage/engine.h"
#include "storage/model/ids.h"
#include "storage/model/records.h"
#include "storage/read.h"
#include "waterflow/v1/ingest.pb.h"
#include "waterflow/v1/metric.pb.h"
#include "waterflow/v1/query.pb.h"
#include "waterflow/v1/tracking.pb.h"

namespace waterflow::server {

// The two have the same codes by the same numbers. Long messages are cut: they
// travel in an HTTP/2 header.
grpc::Status ToGrpc(const absl::Status& status);

// A run's id from its hexadecimal digits; INVALID_ARGUMENT names `field`.
absl::StatusOr<storage::Uuid> RunIdFromProto(absl::string_view field,
                                             absl::string_view hex);

// The same of a list.
absl::StatusOr<std::vector<storage::Uuid>> RunIdsFromProto(
    absl::string_view field,
    const google::protobuf::RepeatedPtrField<std::string>& hex);

// Absent when there are none, which means all.
std::optional<std::vector<storage::Worker>> WorkersFromProto(
    const google::protobuf::RepeatedPtrField<v1::Worker>& workers);

storage::Worker FromProto(const v1::Worker& worker);
void ToProto(const storage::Worker& worker, v1::Worker* out);

storage::Metric FromProto(const v1::Metric& metric);
void ToProto(const storage::Metric& metric, v1::Metric* out);

storage::Tags FromProto(
    const google::protobuf::Map<std::string, std::string>& tags);
void ToProto(const storage::Tags& tags,
             google::protobuf::Map<std::string, std::string>* out);

storage::RunStatus FromProto(v1::RunStatus status);

void ToProto(const storage::Project& project, v1::Project* out);
void ToProto(const storage::Run& run, v1::Run* out);
void ToProto(const storage::FoundRun& run, v1::FoundRun* out);
// Without `cancelled`, which is the call's.
storage::SearchSpec FromProto(const v1::SearchRunsRequest& request);
void ToProto(const storage::WorkerInfo& worker, v1::WorkerInfo* out);

// ---- ingest ----
absl::StatusOr<storage::StreamOptions> FromProto(const v1::Open& open);
absl::StatusOr<storage::WriteOptions> FromProto(v1::WriteRequest request);

// ---- query ----
storage::Interval IntervalFromProto(const v1::Range& range);
// `reduced`: it names the workers of its extremes.
void AddBuckets(absl::Span<const storage::Bucket> buckets, bool reduced,
                v1::Buckets* out);
absl::StatusOr<storage::ReadSpec> FromProto(const v1::ReadRequest& request);
absl::StatusOr<storage::LastValuesSpec> FromProto(
    const v1::LastValuesRequest& request);
void ToProto(const storage::ReadSummary& summary, v1::ReadSummary* out);
void ToProto(const storage::LastValue& value, v1::LastValue* out);

// Entries [from, to) of a part; `out` repeats what names the series.
void ToProto(const storage::SeriesPart& part, size_t from, size_t to,
             v1::SeriesPart* out);

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_CONVERT_H_
