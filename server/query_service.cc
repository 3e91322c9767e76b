#include "server/query_service.h"

#include <algorithm>

#include "server/client_left.h"
#include "server/convert.h"
#include "server/convert_question.h"
#include "server/convert_runs.h"
#include "server/convert_workers.h"
#include "server/part_writer.h"

namespace waterflow::server {
namespace {

// Of bands, in a message: about 256 KiB.
constexpr size_t kMessageBuckets = 2000;

}  // namespace

grpc::Status QueryService::Read(grpc::ServerContext* context,
                                const v1::ReadRequest* request,
                                grpc::ServerWriter<v1::ReadResponse>* out) {
  absl::StatusOr<storage::ReadSpec> spec = FromProto(*request);
  if (!spec.ok()) return ToGrpc(spec.status());
  spec->cancelled = ClientLeft(context);
  PartWriter writer(out);
  const absl::StatusOr<storage::ReadSummary> summary = engine_->Read(
      *spec, [&](const storage::SeriesPart& part) { return writer.Add(part); });
  if (!summary.ok()) return ToGrpc(summary.status());
  writer.Finish(*summary);
  return grpc::Status::OK;
}

grpc::Status QueryService::ListMetrics(grpc::ServerContext*,
                                       const v1::ListMetricsRequest* request,
                                       v1::ListMetricsResponse* response) {
  const absl::StatusOr<storage::MetricListSpec> spec = FromProto(*request);
  if (!spec.ok()) return ToGrpc(spec.status());
  const absl::StatusOr<storage::MetricPage> page = engine_->FindMetrics(*spec);
  if (!page.ok()) return ToGrpc(page.status());
  ToProto(*page, response);
  return grpc::Status::OK;
}

grpc::Status QueryService::ListWorkers(grpc::ServerContext*,
                                       const v1::ListWorkersRequest* request,
                                       v1::ListWorkersResponse* response) {
  const absl::StatusOr<storage::Uuid> run =
      RunIdFromProto("run_id", request->run_id());
  if (!run.ok()) return ToGrpc(run.status());
  const absl::StatusOr<std::vector<storage::WorkerInfo>> workers =
      engine_->ListWorkers(*run);
  if (!workers.ok()) return ToGrpc(workers.status());
  for (const storage::WorkerInfo& worker : *workers) {
    ToProto(worker, response->add_workers());
  }
  return grpc::Status::OK;
}

grpc::Status QueryService::LastValues(grpc::ServerContext*,
                                      const v1::LastValuesRequest* request,
                                      v1::LastValuesResponse* response) {
  const absl::StatusOr<storage::LastValuesSpec> spec = FromProto(*request);
  if (!spec.ok()) return ToGrpc(spec.status());
  const absl::StatusOr<std::vector<storage::LastValue>> values =
      engine_->LastValues(*spec);
  if (!values.ok()) return ToGrpc(values.status());
  for (const storage::LastValue& value : *values) {
    ToProto(value, response->add_values());
  }
  return grpc::Status::OK;
}

grpc::Status QueryService::RunTable(
    grpc::ServerContext* context, const v1::RunTableRequest* request,
    grpc::ServerWriter<v1::RunTableResponse>* out) {
  storage::RunTableSpec spec = FromProto(*request);
  spec.cancelled = ClientLeft(context);
  const absl::StatusOr<std::string> next =
      engine_->RunTable(spec, [&](const storage::RunTablePart& part) {
        v1::RunTableResponse response;
        ToProto(part, &response);
        return out->Write(response) ? absl::OkStatus()
                                    : absl::CancelledError("the client left");
      });
  if (!next.ok()) return ToGrpc(next.status());
  v1::RunTableResponse last;
  last.set_next_page_token(*next);
  out->Write(last);
  return grpc::Status::OK;
}

grpc::Status QueryService::Bands(grpc::ServerContext* context,
                                 const v1::BandsRequest* request,
                                 grpc::ServerWriter<v1::BandsResponse>* out) {
  absl::StatusOr<storage::BandsSpec> spec = FromProto(*request);
  if (!spec.ok()) return ToGrpc(spec.status());
  spec->cancelled = ClientLeft(context);
  const absl::StatusOr<storage::ReadSummary> summary =
      engine_->Bands(*spec, [&](const storage::RunGroup& group) {
        const size_t size = group.buckets.size();
        for (size_t from = 0; from < size; from += kMessageBuckets) {
          v1::BandsResponse response;
          ToProto(group, from, std::min(size, from + kMessageBuckets),
                  response.mutable_group());
          if (!out->Write(response)) {
            return absl::CancelledError("the client left");
          }
        }
        return absl::OkStatus();
      });
  if (!summary.ok()) return ToGrpc(summary.status());
  v1::BandsResponse last;
  ToProto(*summary, last.mutable_summary());
  out->Write(last);
  return grpc::Status::OK;
}

grpc::Status QueryService::RankWorkers(grpc::ServerContext* context,
                                       const v1::RankWorkersRequest* request,
                                       v1::RankWorkersResponse* response) {
  absl::StatusOr<storage::RankWorkersSpec> spec = FromProto(*request);
  if (!spec.ok()) return ToGrpc(spec.status());
  spec->cancelled = ClientLeft(context);
  const absl::StatusOr<storage::WorkerRanking> ranking =
      engine_->RankWorkers(*spec);
  if (!ranking.ok()) return ToGrpc(ranking.status());
  ToProto(*ranking, response);
  return grpc::Status::OK;
}

grpc::Status QueryService::Stragglers(grpc::ServerContext* context,
                                      const v1::StragglersRequest* request,
                                      v1::StragglersResponse* response) {
  absl::StatusOr<storage::StragglersSpec> spec = FromProto(*request);
  if (!spec.ok()) return ToGrpc(spec.status());
  spec->cancelled = ClientLeft(context);
  const absl::StatusOr<storage::Stragglers> found =
      engine_->FindStragglers(*spec);
  if (!found.ok()) return ToGrpc(found.status());
  ToProto(*found, response);
  return grpc::Status::OK;
}

grpc::Status QueryService::Missing(grpc::ServerContext*,
                                   const v1::MissingRequest* request,
                                   v1::MissingResponse* response) {
  const absl::StatusOr<storage::MissingSpec> spec = FromProto(*request);
  if (!spec.ok()) return ToGrpc(spec.status());
  const absl::StatusOr<storage::MissingWorkers> missing =
      engine_->FindMissing(*spec);
  if (!missing.ok()) return ToGrpc(missing.status());
  ToProto(*missing, response);
  return grpc::Status::OK;
}

grpc::Status QueryService::Tail(grpc::ServerContext* context,
                                const v1::TailRequest* request,
                                grpc::ServerWriter<v1::TailResponse>* out) {
  return ToGrpc(tails_.Serve(context, *request, out));
}

}  // namespace waterflow::server
