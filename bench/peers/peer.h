// Who can be measured: Waterflow itself, what stands in its engine's place, and
// other systems. Each is one small file that knows how to start its process on
// an empty folder, how to send it a shape of load, and what that cost.
#ifndef WATERFLOW_BENCH_PEERS_PEER_H_
#define WATERFLOW_BENCH_PEERS_PEER_H_

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bench/dataset.h"
#include "bench/ingest/measures.h"
#include "bench/ingest/shape.h"

namespace waterflow::bench {

struct PeerOptions {
  std::filesystem::path waterflowd;
  std::filesystem::path self;     // this program, which is also the sink
  std::filesystem::path peers;    // what bench/peers/install has made
  std::filesystem::path scratch;  // where stores live while they are measured
  std::string sync = "always";
  std::vector<std::string> server_flags;  // more of them for waterflowd
  uint32_t client_threads = 1;
};

class Peer {
 public:
  virtual ~Peer() = default;

  // NOT_FOUND says in one line how to install it.
  virtual absl::Status Installed() const { return absl::OkStatus(); }
  // What runs, such as "waterflowd 0.1.0, RocksDB 7.8.3"; known once it ran.
  virtual std::string version() const = 0;
  // Starts it anew, loads it with the shape of that workload, and ends it.
  virtual absl::StatusOr<Measures> Run(const Shape& shape,
                                       const Dataset& workload,
                                       absl::Duration window) = 0;
};

// By one of Subjects(); `options` must outlive it.
std::unique_ptr<Peer> MakePeer(const std::string& name,
                               const PeerOptions& options);

// ---- one for each kind, in files of these names ----
std::unique_ptr<Peer> MakeWaterflow(const std::string& name,
                                    const PeerOptions& options);
std::unique_ptr<Peer> MakeRemoteWrite(const std::string& name,
                                      const PeerOptions& options);
std::unique_ptr<Peer> MakeMlflow(const PeerOptions& options);
std::unique_ptr<Peer> MakeOtel(const PeerOptions& options);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_PEERS_PEER_H_
