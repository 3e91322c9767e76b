#include "server/front.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace waterflow::server {
namespace {

// Twice what the credits of all streams may add up to.
constexpr uint64_t kMinReceiveMemoryBytes = uint64_t{1} << 30;

}  // namespace

absl::StatusOr<std::unique_ptr<IngestFront>> StartFront(
    const Options& options, StreamService* ingest,
    std::vector<grpc::Service*> services, storage::IngestBackend* backend) {
  // A process-wide switch of gRPC's; harmless to set again.
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  return IngestFront::Start(
      {.listen = options.listen,
       .threads = options.grpc_threads,
       .ingest = ingest,
       .services = std::move(services),
       .receive_memory_bytes =
           std::max(options.engine.memory_limit_bytes, kMinReceiveMemoryBytes),
       .max_streams = options.max_streams},
      backend);
}

std::string AddressOf(const Options& options, const IngestFront& front) {
  const absl::string_view listen = options.listen;
  return absl::StrCat(listen.substr(0, listen.rfind(':')), ":", front.port());
}

}  // namespace waterflow::server
