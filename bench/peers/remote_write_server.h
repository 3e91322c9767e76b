// VictoriaMetrics or Prometheus as a child process that takes remote write.
#ifndef WATERFLOW_BENCH_PEERS_REMOTE_WRITE_SERVER_H_
#define WATERFLOW_BENCH_PEERS_REMOTE_WRITE_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "bench/http_load.h"
#include "bench/peers/http_server.h"
#include "bench/peers/peer.h"

namespace waterflow::bench {

// `name` is kVictoriaMetrics or kPrometheus.
absl::StatusOr<std::unique_ptr<HttpServer>> StartRemoteWriteServer(
    const std::string& name, const PeerOptions& options);

// Where and with which headers RemoteWriteRequests are sent.
HttpLoadOptions RemoteWriteLoad();

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_PEERS_REMOTE_WRITE_SERVER_H_
