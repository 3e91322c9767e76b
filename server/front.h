// The port of a program, as its Options say: what a server and a relay open
// alike, each with its own services.
#ifndef WATERFLOW_SERVER_FRONT_H_
#define WATERFLOW_SERVER_FRONT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/ingest_front.h"
#include "server/options.h"

namespace waterflow::server {

// With server reflection. Nothing is owned; see IngestFront::Start.
absl::StatusOr<std::unique_ptr<IngestFront>> StartFront(
    const Options& options, StreamService* ingest,
    std::vector<grpc::Service*> services, storage::IngestBackend* backend);

// Host and bound port, as a client dials it.
std::string AddressOf(const Options& options, const IngestFront& front);

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_FRONT_H_
