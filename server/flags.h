// The command line of waterflowd. Each option exists once, as a flag, as a
// variable WATERFLOW_<FLAG> and as a line of the file that --config names; the
// flag wins over the variable, the variable over the file.
#ifndef WATERFLOW_SERVER_FLAGS_H_
#define WATERFLOW_SERVER_FLAGS_H_

#include <variant>

#include "server/options.h"

namespace waterflow::server {

struct ExitCode {
  int value = 0;
};

// The options, or how to exit at once: --help and --version printed themselves,
// a mistake was explained on stderr.
std::variant<Options, ExitCode> ParseFlags(int argc, const char* const* argv);

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_FLAGS_H_
