// A whole server: the engine, its services and the port they are served on. The
// program waterflowd is flags and signals around this; tests start it in their
// own process.
//
//   auto server = Server::Start(options);
//   ... (*server)->port() ...
//   absl::Status closed = (*server)->Shutdown();
#ifndef WATERFLOW_SERVER_SERVER_H_
#define WATERFLOW_SERVER_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/admin_service.h"
#include "server/health_service.h"
#include "server/ingest_front.h"
#include "server/ingest_service.h"
#include "server/options.h"
#include "server/query_service.h"
#include "server/tracking_service.h"
#include "storage/engine.h"

namespace waterflow::server {

class Server {
 public:
  // Opens the store, then the port. FAILED_PRECONDITION when another process
  // holds the data directory; UNAVAILABLE when the port cannot be bound.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const Options& options);

  // Shuts down when that was not done.
  ~Server();

  int port() const { return front_->port(); }
  // Host and bound port, as a client dials it.
  std::string address() const;
  storage::Engine* engine() const { return engine_.get(); }

  // Tells health checks, drains the streams, ends all calls, closes the store.
  // May be called once; then only the destructor.
  absl::Status Shutdown();

 private:
  Server(const Options& options, std::unique_ptr<storage::Engine> engine);

  const Options options_;
  // In this order: the front goes first, the engine last.
  std::unique_ptr<storage::Engine> engine_;
  IngestService ingest_;
  QueryService query_;
  TrackingService tracking_;
  AdminService admin_;
  HealthService health_;
  std::unique_ptr<IngestFront> front_;
  bool shut_down_ = false;
};

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_SERVER_H_
