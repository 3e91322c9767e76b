// The flags of the commands that measure subjects next to each other.
#ifndef WATERFLOW_BENCH_PEER_FLAGS_H_
#define WATERFLOW_BENCH_PEER_FLAGS_H_

#include <CLI/CLI.hpp>

#include "bench/peers/peer.h"

namespace waterflow::bench {

// What stands in *options is the default.
void AddPeerFlags(CLI::App* app, PeerOptions* options);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_PEER_FLAGS_H_
