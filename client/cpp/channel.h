// A gRPC channel with the settings that suit a metrics client.
#ifndef WATERFLOW_CLIENT_CPP_CHANNEL_H_
#define WATERFLOW_CLIENT_CPP_CHANNEL_H_

#include <memory>
#include <string>

#include "grpcpp/channel.h"

namespace waterflow::client {

// `server` is HOST:PORT or any gRPC target. Returns at once; the connection is
// made when the first call needs it. All writers of a process should share one
// channel: they then share one connection.
//
// gRPC's own pause between attempts to connect grows to two minutes; here it
// stays below a few seconds, so that a restarted server is found soon. Pings
// find a peer that died without a word.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& server);

}  // namespace waterflow::client

#endif  // WATERFLOW_CLIENT_CPP_CHANNEL_H_
