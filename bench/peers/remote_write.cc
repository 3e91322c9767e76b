// VictoriaMetrics and Prometheus, by Prometheus remote write 1.0: a compressed
// protobuf message of series with labels. Neither syncs before it answers.
#include <utility>

#include "bench/peers/http_peer.h"
#include "bench/peers/peer.h"
#include "bench/peers/remote_write_requests.h"
#include "bench/peers/remote_write_server.h"

namespace waterflow::bench {
namespace {

constexpr absl::Duration kOnceTimeout = absl::Minutes(10);

class RemoteWritePeer final : public Peer {
 public:
  RemoteWritePeer(std::string name, const PeerOptions& options)
      : name_(std::move(name)), options_(options) {}

  absl::Status Installed() const override {
    return FindProgram(options_.peers, name_).empty() ? NotInstalled(name_)
                                                      : absl::OkStatus();
  }
  std::string version() const override {
    return InstalledVersion(options_.peers, name_);
  }
  absl::StatusOr<Measures> Run(const Shape& shape, const Dataset& workload,
                               absl::Duration window) override;

 private:
  const std::string name_;
  const PeerOptions& options_;
};

absl::StatusOr<Measures> RemoteWritePeer::Run(const Shape& shape,
                                              const Dataset& workload,
                                              absl::Duration window) {
  auto server = StartRemoteWriteServer(name_, options_);
  if (!server.ok()) return server.status();
  HttpLoadOptions options = RemoteWriteLoad();
  LoadOptions& load = options.load;
  load.connections = shape.connections == 0 ? shape.workers : shape.connections;
  load.window = window;
  load.period = shape.period;
  load.spread = shape.spread;
  if (shape.live()) {
    load.shape = LoadShape::kLive;
  } else if (shape.kind == ShapeKind::kOnce) {
    load.shape = LoadShape::kOnce;
    load.window = kOnceTimeout;
  }
  RemoteWriteRequests requests(shape, workload, load.connections);
  return LoadAndWeigh(shape, std::move(options), server->get(), &requests);
}

}  // namespace

std::unique_ptr<Peer> MakeRemoteWrite(const std::string& name,
                                      const PeerOptions& options) {
  return std::make_unique<RemoteWritePeer>(name, options);
}

}  // namespace waterflow::bench
