// What waterflowd does with a data directory instead of serving it: the
// subcommands.
#ifndef WATERFLOW_SERVER_OFFLINE_H_
#define WATERFLOW_SERVER_OFFLINE_H_

#include "server/options.h"

namespace waterflow::server {

// Does what options.command says, which is not kServe; returns the exit code.
int RunOffline(const Options& options);

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_OFFLINE_H_
