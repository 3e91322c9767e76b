// The thread that hands a relay's rows to the server upstream: one call of
// Ingest.Stream for each stream of a worker, all over one connection.
#ifndef WATERFLOW_SERVER_RELAY_FORWARDER_H_
#define WATERFLOW_SERVER_RELAY_FORWARDER_H_

#include <grpcpp/channel.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <thread>

#include "absl/time/time.h"
#include "client/cpp/event_queue.h"
#include "server/relay/upstream_stream.h"
#include "storage/relay/relay_store.h"
#include "waterflow/v1/ingest.grpc.pb.h"

namespace waterflow::server {

class Forwarder {
 public:
  // `store` must outlive it, and no session may be open when it goes.
  Forwarder(storage::RelayStore* store,
            const std::shared_ptr<grpc::Channel>& upstream,
            ForwardOptions options);
  ~Forwarder();
  Forwarder(const Forwarder&) = delete;
  Forwarder& operator=(const Forwarder&) = delete;

  // Waits until the upstream has everything, at most until `deadline` and not
  // while it is away.
  void AwaitForwarded(absl::Time deadline) const;

  const ForwardState& state() const { return state_; }

 private:
  void Run();
  // Ends all calls.
  void EndCalls();

  const std::unique_ptr<v1::Ingest::Stub> stub_;
  client::EventQueue events_;
  ForwardState state_;
  std::atomic<bool> stop_{false};
  // The thread's own.
  std::map<uint32_t, std::unique_ptr<UpstreamStream>> streams_;
  std::thread thread_;
};

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_RELAY_FORWARDER_H_
