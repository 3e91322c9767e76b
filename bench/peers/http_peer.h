// What peers that serve HTTP have in common once they run: the load, and what
// it cost.
#ifndef WATERFLOW_BENCH_PEERS_HTTP_PEER_H_
#define WATERFLOW_BENCH_PEERS_HTTP_PEER_H_

#include "absl/status/statusor.h"
#include "bench/http_load.h"
#include "bench/ingest/measures.h"
#include "bench/ingest/shape.h"
#include "bench/peers/http_server.h"

namespace waterflow::bench {

// Sends `requests` to the server, whose port, counters and warm-up are filled
// in here, and weighs memory and, after its end, the disk.
absl::StatusOr<Measures> LoadAndWeigh(const Shape& shape,
                                      HttpLoadOptions options,
                                      HttpServer* server,
                                      HttpRequests* requests);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_PEERS_HTTP_PEER_H_
