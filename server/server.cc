#include "server/server.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/front.h"
#include "storage/relay/relay_store.h"

namespace waterflow::server {
Server::Server(const Options& options, std::unique_ptr<storage::Engine> engine)
    : options_(options),
      engine_(std::move(engine)),
      ingest_(engine_.get()),
      query_(engine_.get()),
      tracking_(engine_.get()),
      admin_(engine_.get()),
      health_({v1::Ingest::service_full_name(), v1::Query::service_full_name(),
               v1::Tracking::service_full_name(),
               v1::Admin::service_full_name()}) {}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const Options& options) {
  // Whoever forgot --relay would begin an empty store, which knows none of its
  // workers' runs.
  if (storage::RelayStore::IsIn(options.engine.data_dir)) {
    return absl::FailedPreconditionError(
        absl::StrCat("data directory ", options.engine.data_dir,
                     " is that of a relay: start it with --relay, or give the "
                     "server another"));
  }
  absl::StatusOr<std::unique_ptr<storage::Engine>> engine =
      storage::Engine::Open(options.engine);
  if (!engine.ok()) return engine.status();
  std::unique_ptr<Server> server(new Server(options, *std::move(engine)));

  absl::StatusOr<std::unique_ptr<IngestFront>> front = StartFront(
      options, &server->ingest_,
      {&server->query_, &server->tracking_, &server->admin_, &server->health_},
      server->engine_.get());
  if (!front.ok()) return front.status();
  server->front_ = *std::move(front);
  return server;
}

Server::~Server() { Shutdown().IgnoreError(); }

std::string Server::address() const { return AddressOf(options_, *front_); }

absl::Status Server::Shutdown() {
  if (std::exchange(shut_down_, true)) return absl::OkStatus();
  health_.StopServing();
  query_.EndTails();
  if (front_ != nullptr) front_->Shutdown(options_.drain_grace);
  return engine_->Close();
}

}  // namespace waterflow::server
