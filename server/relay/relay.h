// A relay: one process a node that the node's workers stream to. It acks what
// is durable on its own disk and hands it on to the server upstream, every row
// once, as soon as that answers. Everything else than streams goes through to
// the upstream.
//
//   auto relay = Relay::Start(options);    // options.relay_upstream is set
//   ... (*relay)->port() ...
//   absl::Status closed = (*relay)->Shutdown();
#ifndef WATERFLOW_SERVER_RELAY_RELAY_H_
#define WATERFLOW_SERVER_RELAY_RELAY_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/health_service.h"
#include "server/ingest_front.h"
#include "server/options.h"
#include "server/relay/forwarder.h"
#include "server/relay/pass_through.h"
#include "server/relay/relay_admin_service.h"
#include "storage/relay/relay_store.h"

namespace waterflow::server {

class Relay {
 public:
  // Opens what is kept, then the port; the upstream may be away. UNAVAILABLE
  // when the port cannot be bound.
  static absl::StatusOr<std::unique_ptr<Relay>> Start(const Options& options);

  // Shuts down when that was not done.
  ~Relay();

  int port() const { return front_->port(); }
  // Host and bound port, as a client dials it.
  std::string address() const;
  storage::RelayStore* store() const { return store_.get(); }

  // Drains the streams, and gives the upstream the rest of the grace to take
  // what waits. What it does not take stays on the disk for the next start.
  absl::Status Shutdown();

 private:
  Relay(const Options& options, std::unique_ptr<storage::RelayStore> store);

  const Options options_;
  const Upstream upstream_;
  // In this order: the front goes first, the store last.
  std::unique_ptr<storage::RelayStore> store_;
  std::unique_ptr<Forwarder> forwarder_;
  WritePassThrough ingest_;
  QueryPassThrough query_;
  TrackingPassThrough tracking_;
  RelayAdminService admin_;
  HealthService health_;
  std::unique_ptr<IngestFront> front_;
  bool shut_down_ = false;
};

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_RELAY_RELAY_H_
