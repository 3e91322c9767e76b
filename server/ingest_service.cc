#include "server/ingest_service.h"

#include <utility>

#include "server/convert.h"
#include "server/wire.h"

namespace waterflow::server {

grpc::Status IngestService::Write(grpc::ServerContext*,
                                  const v1::WriteRequest* request,
                                  v1::WriteResponse* response) {
  absl::StatusOr<storage::WriteOptions> options = FromProto(*request);
  if (!options.ok()) return ToGrpc(options.status());
  const absl::StatusOr<storage::WriteResult> written =
      engine_->Write(*std::move(options));
  if (!written.ok()) return ToGrpc(written.status());
  response->set_points(written->points);
  response->set_token(EncodeToken(written->position));
  return grpc::Status::OK;
}

}  // namespace waterflow::server
