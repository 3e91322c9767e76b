#include "server/ingest_front.h"

#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/unreadable_request.h"
#include "storage/model/limits.h"

namespace waterflow::server {
namespace {

// Clients may ping as often as this, also while they have no call.
constexpr absl::Duration kClientPingInterval = absl::Seconds(10);

// For calls that are no streams, when the server stops.
constexpr absl::Duration kCallGrace = absl::Seconds(1);

void Configure(const IngestFrontOptions& options,
               grpc::ServerBuilder* builder) {
  builder->SetMaxReceiveMessageSize(storage::kMaxMessageBytes);
  const auto add_milliseconds = [builder](const char* name,
                                          absl::Duration duration) {
    builder->AddChannelArgument(
        name, static_cast<int>(absl::ToInt64Milliseconds(duration)));
  };
  add_milliseconds(GRPC_ARG_KEEPALIVE_TIME_MS, options.keepalive_time);
  add_milliseconds(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, options.keepalive_timeout);
  add_milliseconds(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                   options.handshake_timeout);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  add_milliseconds(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                   kClientPingInterval);
  // gRPC checks the size of a message before it unpacks it, and some KiB of
  // zeros unpack to all the memory there is. Such calls are UNIMPLEMENTED.
  builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  if (options.receive_memory_bytes > 0) {
    grpc::ResourceQuota quota("receive");
    quota.Resize(options.receive_memory_bytes);
    builder->SetResourceQuota(quota);
  }
  // Two servers on one port would share its connections at random.
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // The ordinary methods. Their queue does not poll, as the loops' queues do
  // (gRPC calls this a hybrid server): a second polling thread would take every
  // other message of a stream and hand it over at the cost of two switches.
  using Sync = grpc::ServerBuilder::SyncServerOption;
  builder->SetSyncServerOption(Sync::NUM_CQS, 1);
  builder->SetSyncServerOption(Sync::MIN_POLLERS, 1);
  builder->SetSyncServerOption(Sync::MAX_POLLERS, 4);

  std::vector<
      std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>>
      interceptors;
  interceptors.push_back(std::make_unique<UnreadableRequestAnswers>());
  builder->experimental().SetInterceptorCreators(std::move(interceptors));
}

}  // namespace

absl::StatusOr<std::unique_ptr<IngestFront>> IngestFront::Start(
    const IngestFrontOptions& options, storage::IngestBackend* backend) {
  std::unique_ptr<IngestFront> front(new IngestFront());
  front->admission_ = std::make_unique<Admission>(backend, options.max_streams,
                                                  options.patience);
  StreamService* ingest = options.ingest;
  if (ingest == nullptr) {
    front->own_ingest_ = std::make_unique<StreamService>();
    ingest = front->own_ingest_.get();
  }

  grpc::ServerBuilder builder;
  Configure(options, &builder);
  builder.AddListeningPort(options.listen, grpc::InsecureServerCredentials(),
                           &front->port_);
  builder.RegisterService(ingest);
  for (grpc::Service* service : options.services) {
    builder.RegisterService(service);
  }
  for (int i = 0; i < std::max(1, options.threads); ++i) {
    front->loops_.push_back(
        std::make_unique<IngestLoop>(builder.AddCompletionQueue(), ingest,
                                     backend, front->admission_.get()));
  }
  front->server_ = builder.BuildAndStart();
  if (front->server_ == nullptr || front->port_ == 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", options.listen,
                     ": is the address right and the port free?"));
  }
  for (auto& loop : front->loops_) loop->Start();
  return front;
}

IngestFront::~IngestFront() { Shutdown(absl::ZeroDuration()); }

void IngestFront::Shutdown(absl::Duration grace) {
  if (server_ != nullptr) {
    const absl::Time deadline = absl::Now() + grace;
    for (auto& loop : loops_) loop->Drain();
    for (auto& loop : loops_) loop->AwaitDrained(deadline);
    // The loops keep polling meanwhile: all calls end through them. Not the
    // whole grace, as gRPC waits for idle connections too, and a client that
    // does not poll its own never answers.
    server_->Shutdown(std::chrono::system_clock::now() +
                      absl::ToChronoMicroseconds(std::min(grace, kCallGrace)));
    for (auto& loop : loops_) loop->Stop();
    server_.reset();
  }
  loops_.clear();
}

}  // namespace waterflow::server
