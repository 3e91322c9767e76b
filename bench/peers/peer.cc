#include "bench/peers/peer.h"

namespace waterflow::bench {

std::unique_ptr<Peer> MakePeer(const std::string& name,
                               const PeerOptions& options) {
  if (name == kVictoriaMetrics || name == kPrometheus) {
    return MakeRemoteWrite(name, options);
  }
  if (name == kMlflow) return MakeMlflow(options);
  if (name == kOtelCollector) return MakeOtel(options);
  return MakeWaterflow(name, options);
}

}  // namespace waterflow::bench
