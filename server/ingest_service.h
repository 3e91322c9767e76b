// Ingest.Write, the unary door. (Ingest.Stream of the same service runs on the
// loops: ingest_loop.h, ingest_session.h.)
#ifndef WATERFLOW_SERVER_INGEST_SERVICE_H_
#define WATERFLOW_SERVER_INGEST_SERVICE_H_

#include "server/ingest_loop.h"
#include "storage/engine.h"

namespace waterflow::server {

class IngestService final : public StreamService {
 public:
  explicit IngestService(storage::Engine* engine) : engine_(engine) {}

  grpc::Status Write(grpc::ServerContext* context,
                     const v1::WriteRequest* request,
                     v1::WriteResponse* response) override;

 private:
  storage::Engine* const engine_;
};

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_INGEST_SERVICE_H_
