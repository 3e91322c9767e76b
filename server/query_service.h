// waterflow.v1.Query: values out.
#ifndef WATERFLOW_SERVER_QUERY_SERVICE_H_
#define WATERFLOW_SERVER_QUERY_SERVICE_H_

#include "server/tails.h"
#include "storage/engine.h"
#include "waterflow/v1/query.grpc.pb.h"

namespace waterflow::server {

class QueryService final : public v1::Query::Service {
 public:
  explicit QueryService(storage::Engine* engine)
      : engine_(engine), tails_(engine) {}

  // Streams the parts as the engine finds them; a client that leaves stops the
  // read at the next part.
  grpc::Status Read(grpc::ServerContext* context,
                    const v1::ReadRequest* request,
                    grpc::ServerWriter<v1::ReadResponse>* out) override;
  grpc::Status ListMetrics(grpc::ServerContext* context,
                           const v1::ListMetricsRequest* request,
                           v1::ListMetricsResponse* response) override;
  grpc::Status ListWorkers(grpc::ServerContext* context,
                           const v1::ListWorkersRequest* request,
                           v1::ListWorkersResponse* response) override;
  grpc::Status LastValues(grpc::ServerContext* context,
                          const v1::LastValuesRequest* request,
                          v1::LastValuesResponse* response) override;
  grpc::Status RunTable(grpc::ServerContext* context,
                        const v1::RunTableRequest* request,
                        grpc::ServerWriter<v1::RunTableResponse>* out) override;
  grpc::Status Bands(grpc::ServerContext* context,
                     const v1::BandsRequest* request,
                     grpc::ServerWriter<v1::BandsResponse>* out) override;
  grpc::Status RankWorkers(grpc::ServerContext* context,
                           const v1::RankWorkersRequest* request,
                           v1::RankWorkersResponse* response) override;
  grpc::Status Stragglers(grpc::ServerContext* context,
                          const v1::StragglersRequest* request,
                          v1::StragglersResponse* response) override;
  grpc::Status Missing(grpc::ServerContext* context,
                       const v1::MissingRequest* request,
                       v1::MissingResponse* response) override;
  grpc::Status Tail(grpc::ServerContext* context,
                    const v1::TailRequest* request,
                    grpc::ServerWriter<v1::TailResponse>* out) override;

  // Ends subscriptions, which else go on as long as their readers.
  void EndTails() { tails_.End(); }

 private:
  storage::Engine* const engine_;
  Tails tails_;
};

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_QUERY_SERVICE_H_
