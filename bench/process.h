// A server as a child process, and what any process costs, by /proc.
#ifndef WATERFLOW_BENCH_PROCESS_H_
#define WATERFLOW_BENCH_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace waterflow::bench {

struct ProcessUsage {
  double cpu_seconds = 0;  // user and system, all threads
  uint64_t resident_bytes = 0;
  uint64_t peak_resident_bytes = 0;
};

absl::StatusOr<ProcessUsage> ReadUsage(pid_t pid);

// The same of a process and all that descend from it, such as the workers of a
// server that forks. Peaks are added up: more than they took at one moment.
absl::StatusOr<ProcessUsage> ReadTreeUsage(pid_t pid);

// CPU of this process so far, seconds.
double OwnCpuSeconds();

// Runs a program with its output in a file. The destructor asks it to end
// (SIGTERM), waits and, if it must, kills it; it also dies when we do.
class ChildProcess {
 public:
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(
      const std::vector<std::string>& command, const std::string& log_path);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  // False once it ended by itself.
  bool Running();
  // Ends it; an error when it had to be killed or did not exit with 0.
  absl::Status Stop();
  // All that it printed so far.
  std::string Log() const;

 private:
  ChildProcess(pid_t pid, std::string log_path)
      : pid_(pid), log_path_(std::move(log_path)) {}

  const pid_t pid_;
  const std::string log_path_;
  bool reaped_ = false;
  int exit_status_ = 0;
};

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_PROCESS_H_
