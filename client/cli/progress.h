// How far an import is: a bar that redraws itself on a terminal, a line now and
// then elsewhere.
#ifndef WATERFLOW_CLIENT_CLI_PROGRESS_H_
#define WATERFLOW_CLIENT_CLI_PROGRESS_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"

namespace waterflow::cli {

// What has been done so far, over all streams.
struct ProgressCounts {
  std::atomic<uint64_t> rows_appended = 0;
  std::atomic<uint64_t> rows_acked = 0;
  std::atomic<uint64_t> values_acked = 0;
};

// Draws from a thread of its own while it lives, to standard error.
class Progress {
 public:
  Progress(const ProgressCounts* counts, uint64_t total_rows);
  // Draws the end and leaves the line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  void Loop();
  std::string Line() const;
  void Draw();

  const ProgressCounts* const counts_;
  const uint64_t total_rows_;
  const bool on_terminal_;
  const std::chrono::steady_clock::time_point began_;
  std::string last_line_;
  std::mutex mu_;
  std::condition_variable changed_;
  bool over_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace waterflow::cli

#endif  // WATERFLOW_CLIENT_CLI_PROGRESS_H_
