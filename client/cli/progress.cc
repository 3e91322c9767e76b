#include "client/cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "absl/strings/str_format.h"
#include "client/cli/format.h"
#include "client/cli/terminal.h"

namespace waterflow::cli {

Progress::Progress(const ProgressCounts* counts, uint64_t total_rows)
    : counts_(counts),
      total_rows_(total_rows),
      on_terminal_(IsTerminal(STDERR_FILENO)),
      began_(std::chrono::steady_clock::now()),
      thread_([this] { Loop(); }) {}

Progress::~Progress() {
  {
    std::lock_guard<std::mutex> lock(mu_);
    over_ = true;
  }
  changed_.notify_one();
  thread_.join();
  Draw();
  if (on_terminal_) std::cerr << std::endl;
}

void Progress::Loop() {
  const auto pause = on_terminal_ ? std::chrono::milliseconds(100)
                                  : std::chrono::milliseconds(2000);
  std::unique_lock<std::mutex> lock(mu_);
  while (!changed_.wait_for(lock, pause, [this] { return over_; })) {
    lock.unlock();
    Draw();
    lock.lock();
  }
}

std::string Progress::Line() const {
  const uint64_t acked = counts_->rows_acked;
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began_)
          .count();
  const double part = total_rows_ == 0 ? 1
                                       : static_cast<double>(acked) /
                                             static_cast<double>(total_rows_);
  const std::string text = absl::StrFormat(
      "%3d%%  rows %s of %s, acked %s, %s samples/s",
      static_cast<int>(part * 100), WithCommas(counts_->rows_appended),
      WithCommas(total_rows_), WithCommas(acked),
      ShortCount(static_cast<double>(counts_->values_acked) /
                 std::max(seconds, 1e-3)));
  if (!on_terminal_) return text;
  const int room =
      SizeOfTerminal(STDERR_FILENO).columns - static_cast<int>(text.size()) - 5;
  const int width = std::clamp(room, 0, 40);
  if (width < 10) return text;
  const int full = static_cast<int>(part * width);
  return absl::StrFormat("[%s%s] %s", std::string(full, '#'),
                         std::string(width - full, '.'), text);
}

void Progress::Draw() {
  const std::string line = Line();
  if (on_terminal_) {
    // Back to the start of the line, and clear what a longer one left behind.
    std::cerr << '\r' << line << "\x1b[K" << std::flush;
  } else if (line != last_line_) {
    std::cerr << line << std::endl;
  }
  last_line_ = line;
}

}  // namespace waterflow::cli
