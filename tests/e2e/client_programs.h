// waterflowd and waterflow as processes of their own, each ended by its pid.
#ifndef WATERFLOW_TESTS_E2E_CLIENT_PROGRAMS_H_
#define WATERFLOW_TESTS_E2E_CLIENT_PROGRAMS_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace waterflow::cli {

// A folder that goes away with it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string operator/(const std::string& name) const {
    return path_ + "/" + name;
  }

 private:
  std::string path_;
};

// Starts a program with standard output and error in a file; returns its pid.
pid_t StartProgram(const std::vector<std::string>& command,
                   const std::string& output_file);
// The exit code, or 128 + the signal that ended it.
int WaitForProgram(pid_t pid);
std::string ReadTextFile(const std::string& path);

// waterflowd on a data directory; killed when it goes away.
class ServerProgram {
 public:
  // `flags` beyond those that say where it lives and listens.
  explicit ServerProgram(std::string folder,
                         std::vector<std::string> flags = {});
  ~ServerProgram();
  ServerProgram(const ServerProgram&) = delete;
  ServerProgram& operator=(const ServerProgram&) = delete;

  // At a free port, or at `port`; fails the test when it does not serve.
  void Start(int port = 0);
  // SIGTERM; returns the exit code.
  int Stop();
  // SIGKILL.
  void Kill();
  int port() const { return port_; }
  std::string address() const;

 private:
  const std::string folder_;
  const std::vector<std::string> flags_;
  pid_t pid_ = -1;
  int port_ = 0;
};

// Runs `waterflow --server ADDRESS ARGS...` to its end.
struct CommandResult {
  int exit_code = 0;
  std::string output;  // standard output and error
};
CommandResult RunCommand(const ServerProgram& server,
                         const std::vector<std::string>& args);

}  // namespace waterflow::cli

#endif  // WATERFLOW_TESTS_E2E_CLIENT_PROGRAMS_H_
