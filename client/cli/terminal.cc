#include "client/cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/numbers.h"

namespace waterflow::cli {

bool IsTerminal(int fd) { return isatty(fd) == 1; }

TerminalSize SizeOfTerminal(int fd) {
  TerminalSize size;
  winsize window = {};
  if (ioctl(fd, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 &&
      window.ws_row > 0) {
    size.columns = window.ws_col;
    size.rows = window.ws_row;
    return size;
  }
  int number = 0;
  const char* columns = std::getenv("COLUMNS");
  if (columns != nullptr && absl::SimpleAtoi(columns, &number) && number > 0) {
    size.columns = number;
  }
  const char* lines = std::getenv("LINES");
  if (lines != nullptr && absl::SimpleAtoi(lines, &number) && number > 0) {
    size.rows = number;
  }
  return size;
}

}  // namespace waterflow::cli
