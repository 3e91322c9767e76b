// Everything that can be set about a server. Flags, their variables and the
// config file fill it (flags.h); tests fill it by hand.
#ifndef WATERFLOW_SERVER_OPTIONS_H_
#define WATERFLOW_SERVER_OPTIONS_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "server/admission.h"
#include "server/relay/forward_options.h"
#include "storage/engine.h"
#include "storage/relay/relay_limits.h"

namespace waterflow::server {

// What waterflowd is asked to do.
enum class Command {
  kServe,
  kVerify,   // the data directory, which nobody has open
  kRestore,  // a backup into the data directory
  kDump,     // the data directory to standard output
};

struct Options {
  Command command = Command::kServe;
  // Of kRestore: the folder of backups, and which of them (0: the newest).
  std::string restore_from;
  uint32_t restore_id = 0;
  // Where the store lives, when its rows are durable, how much memory it takes.
  storage::EngineOptions engine = {.data_dir = "waterflow-data"};
  // Not empty: a relay of the server at this HOST:PORT, and how much may wait
  // for it (server/relay/relay.h).
  std::string relay_upstream;
  uint64_t relay_disk_bytes = storage::kDefaultRelayDiskBytes;
  ForwardOptions forward;
  // HOST:PORT; port 0 takes a free one. Loopback unless asked otherwise: there
  // is no authentication.
  std::string listen = "127.0.0.1:7070";
  // Calls of Ingest.Stream that may be open at once.
  uint32_t max_streams = kDefaultMaxStreams;
  // Threads that poll streams.
  int grpc_threads = 1;
  // How long a stopping server waits for its streams to be durable and end.
  absl::Duration drain_grace = absl::Seconds(5);
  // trace, debug, info, warn, error or off.
  std::string log_level = "info";
  // The bound port is written here once the server serves. Empty: nowhere.
  std::string port_file;
};

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_OPTIONS_H_
