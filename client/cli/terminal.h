// What kind of terminal the output goes to.
#ifndef WATERFLOW_CLIENT_CLI_TERMINAL_H_
#define WATERFLOW_CLIENT_CLI_TERMINAL_H_

namespace waterflow::cli {

struct TerminalSize {
  int columns = 80;
  int rows = 24;
};

bool IsTerminal(int fd);
// Of the terminal at `fd`; else what COLUMNS and LINES say; else 80 x 24.
TerminalSize SizeOfTerminal(int fd);

}  // namespace waterflow::cli

#endif  // WATERFLOW_CLIENT_CLI_TERMINAL_H_
