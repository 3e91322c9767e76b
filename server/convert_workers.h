// As convert.h, for questions about the workers of a run.
#ifndef WATERFLOW_SERVER_CONVERT_WORKERS_H_
#define WATERFLOW_SERVER_CONVERT_WORKERS_H_

#include "absl/status/statusor.h"
#include "storage/worker_questions.h"
#include "waterflow/v1/query.pb.h"

namespace waterflow::server {

// Without `cancelled`, which is the call's.
absl::StatusOr<storage::RankWorkersSpec> FromProto(
    const v1::RankWorkersRequest& request);
absl::StatusOr<storage::StragglersSpec> FromProto(
    const v1::StragglersRequest& request);
absl::StatusOr<storage::MissingSpec> FromProto(
    const v1::MissingRequest& request);

void ToProto(const storage::WorkerRanking& ranking,
             v1::RankWorkersResponse* out);
void ToProto(const storage::Stragglers& stragglers,
             v1::StragglersResponse* out);
void ToProto(const storage::MissingWorkers& missing, v1::MissingResponse* out);

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_CONVERT_WORKERS_H_
