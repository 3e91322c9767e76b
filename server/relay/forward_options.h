// How a relay hands rows on; the defaults are for production, tests hurry.
#ifndef WATERFLOW_SERVER_RELAY_FORWARD_OPTIONS_H_
#define WATERFLOW_SERVER_RELAY_FORWARD_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/time/time.h"

namespace waterflow::server {

struct ForwardOptions {
  // A stream sends again this long after it did last, unless much waits.
  absl::Duration gather = absl::Milliseconds(200);
  // How large a batch should be.
  uint64_t batch_bytes = uint64_t{1} << 20;
  // Of the backlog in memory: of a stream, and of all together (plus one entry
  // each, that is a commit group's worth).
  uint64_t window_bytes = uint64_t{4} << 20;
  uint64_t windows_bytes = uint64_t{64} << 20;
  // Between attempts to reach the upstream.
  absl::Duration backoff_first = absl::Milliseconds(100);
  absl::Duration backoff_most = absl::Seconds(5);
  absl::Duration open_timeout = absl::Seconds(30);
  absl::Duration heartbeat = absl::Seconds(30);
  // A call without rows and without a worker is closed.
  absl::Duration idle = absl::Seconds(60);
  // Told what an operator should know, a line each. Null: nobody is.
  std::function<void(const std::string&)> log;
};

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_RELAY_FORWARD_OPTIONS_H_
