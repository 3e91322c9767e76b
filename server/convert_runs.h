// Questions over runs, between the messages of query.proto and the structs of
// storage/.
#ifndef WATERFLOW_SERVER_CONVERT_RUNS_H_
#define WATERFLOW_SERVER_CONVERT_RUNS_H_

#include <cstddef>

#include "absl/status/statusor.h"
#include "storage/run_bands.h"
#include "storage/run_table.h"
#include "waterflow/v1/query.pb.h"

namespace waterflow::server {

// Without `cancelled`, which is the call's.
storage::RunTableSpec FromProto(const v1::RunTableRequest& request);
void ToProto(const storage::RunTablePart& part, v1::RunTableResponse* out);

// Without `cancelled`, which is the call's.
absl::StatusOr<storage::BandsSpec> FromProto(const v1::BandsRequest& request);
// Buckets [from, to) of a group; `out` repeats what names it.
void ToProto(const storage::RunGroup& group, size_t from, size_t to,
             v1::RunGroup* out);

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_CONVERT_RUNS_H_
