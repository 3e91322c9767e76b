#include "server/relay/relay.h"

#include <utility>

#include "absl/time/clock.h"
#include "client/cpp/channel.h"
#include "server/front.h"

namespace waterflow::server {
Relay::Relay(const Options& options, std::unique_ptr<storage::RelayStore> store)
    : options_(options),
      upstream_{options.relay_upstream,
                client::MakeChannel(options.relay_upstream)},
      store_(std::move(store)),
      forwarder_(std::make_unique<Forwarder>(store_.get(), upstream_.channel,
                                             options.forward)),
      ingest_(upstream_),
      query_(upstream_),
      tracking_(upstream_),
      admin_(upstream_, &forwarder_->state(), store_.get()),
      health_({v1::Ingest::service_full_name(), v1::Query::service_full_name(),
               v1::Tracking::service_full_name(),
               v1::Admin::service_full_name()}) {}

absl::StatusOr<std::unique_ptr<Relay>> Relay::Start(const Options& options) {
  absl::StatusOr<std::unique_ptr<storage::RelayStore>> store =
      storage::RelayStore::Open(
          {.engine = options.engine, .disk_bytes = options.relay_disk_bytes});
  if (!store.ok()) return store.status();
  std::unique_ptr<Relay> relay(new Relay(options, *std::move(store)));

  absl::StatusOr<std::unique_ptr<IngestFront>> front = StartFront(
      options, &relay->ingest_,
      {&relay->query_, &relay->tracking_, &relay->admin_, &relay->health_},
      relay->store_.get());
  if (!front.ok()) return front.status();
  relay->front_ = *std::move(front);
  relay->upstream_.channel->GetState(/*try_to_connect=*/true);
  return relay;
}

Relay::~Relay() { Shutdown().IgnoreError(); }

std::string Relay::address() const { return AddressOf(options_, *front_); }

absl::Status Relay::Shutdown() {
  if (std::exchange(shut_down_, true)) return absl::OkStatus();
  const absl::Time end = absl::Now() + options_.drain_grace;
  health_.StopServing();
  if (front_ != nullptr) front_->Shutdown(options_.drain_grace);
  forwarder_->AwaitForwarded(end);
  return absl::OkStatus();
}

}  // namespace waterflow::server
