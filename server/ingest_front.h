// The gRPC port: Ingest.Stream over any IngestBackend, with whatever other
// services the caller adds. The server puts the engine behind it, the benchmark
// a counter of bytes:
//
//   CountingBackend backend;
//   auto front = IngestFront::Start({.listen = "127.0.0.1:0"}, &backend);
//   ... (*front)->port() ...
//   (*front)->Shutdown(absl::Seconds(5));
#ifndef WATERFLOW_SERVER_INGEST_FRONT_H_
#define WATERFLOW_SERVER_INGEST_FRONT_H_

#include <grpcpp/server.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/admission.h"
#include "server/ingest_loop.h"
#include "storage/ingest_backend.h"

namespace waterflow::server {

struct IngestFrontOptions {
  // HOST:PORT; port 0 takes a free one.
  std::string listen = "127.0.0.1:0";
  // Threads that poll, each with sessions of its own.
  int threads = 1;
  // Holds Ingest.Write; null: that method is UNIMPLEMENTED. Not owned.
  StreamService* ingest = nullptr;
  // Served on the same port. Not owned.
  std::vector<grpc::Service*> services = {};
  // What gRPC may hold for connections, calls and messages on their way; above
  // it, it ends some. 0: no limit.
  uint64_t receive_memory_bytes = 0;
  // Calls of Ingest.Stream that may be open at once.
  uint32_t max_streams = kDefaultMaxStreams;
  // How long a call may go without its Open, not read its answers, or send more
  // than its credit.
  absl::Duration patience = kDefaultPatience;
  // A peer that vanished without a word (a pulled cable, a frozen machine) is
  // noticed within keepalive_time + keepalive_timeout of silence; one that
  // connects and then says nothing within handshake_timeout.
  absl::Duration keepalive_time = absl::Seconds(60);
  absl::Duration keepalive_timeout = absl::Seconds(20);
  absl::Duration handshake_timeout = absl::Seconds(20);
};

class IngestFront {
 public:
  // Listens and serves. What `options` and `backend` point to must outlive the
  // front. UNAVAILABLE when the address cannot be bound.
  static absl::StatusOr<std::unique_ptr<IngestFront>> Start(
      const IngestFrontOptions& options, storage::IngestBackend* backend);

  // As Shutdown with a grace of nothing.
  ~IngestFront();

  int port() const { return port_; }

  // Acks what becomes durable and ends all streams with UNAVAILABLE, for which
  // they have `grace`; then accepts nothing more, gives other calls a second at
  // most, and cancels what is left. When it returns no session is left and the
  // backend is not called any more.
  void Shutdown(absl::Duration grace);

 private:
  IngestFront() = default;

  std::unique_ptr<Admission> admission_;
  // For a front without Ingest.Write.
  std::unique_ptr<StreamService> own_ingest_;
  std::vector<std::unique_ptr<IngestLoop>> loops_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_INGEST_FRONT_H_
