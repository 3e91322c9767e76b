#include "bench/peer_flags.h"

namespace waterflow::bench {

void AddPeerFlags(CLI::App* app, PeerOptions* options) {
  app->add_option("--sync", options->sync, "Sync policy of waterflowd")
      ->capture_default_str();
  app->add_option("--server-flag", options->server_flags,
                  "One more flag for waterflowd; may be repeated")
      ->type_size(1)
      ->allow_extra_args(false);
  app->add_option("--waterflowd", options->waterflowd, "The server's program")
      ->capture_default_str();
  app->add_option("--peers", options->peers,
                  "Where bench/peers/install has put them")
      ->capture_default_str();
  app->add_option("--scratch", options->scratch,
                  "Folder on the disk to measure; stores are removed again")
      ->capture_default_str();
}

}  // namespace waterflow::bench
