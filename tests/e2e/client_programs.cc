#include "tests/e2e/client_programs.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

#include "gtest/gtest.h"

namespace waterflow::cli {

TemporaryFolder::TemporaryFolder()
    : path_(std::filesystem::temp_directory_path() / "waterflow-XXXXXX") {
  if (mkdtemp(path_.data()) == nullptr) ADD_FAILURE() << "no temporary folder";
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

pid_t StartProgram(const std::vector<std::string>& command,
                   const std::string& output_file) {
  std::vector<char*> argv;
  for (const std::string& arg : command) {
    argv.push_back(const_cast<char*>(arg.c_str()));
  }
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output_file.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t pid = -1;
  const int error =
      posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  EXPECT_EQ(error, 0) << "cannot start " << command[0];
  return pid;
}

int WaitForProgram(pid_t pid) {
  int status = 0;
  if (waitpid(pid, &status, 0) != pid) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string ReadTextFile(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

ServerProgram::ServerProgram(std::string folder, std::vector<std::string> flags)
    : folder_(std::move(folder)), flags_(std::move(flags)) {
  std::filesystem::create_directories(folder_);
}

ServerProgram::~ServerProgram() { Kill(); }

void ServerProgram::Start(int port) {
  const std::string port_file = folder_ + "/port";
  std::filesystem::remove(port_file);
  std::vector<std::string> command = {WATERFLOWD,
                                      "--data-dir",
                                      folder_ + "/data",
                                      "--listen",
                                      "127.0.0.1:" + std::to_string(port),
                                      "--port-file",
                                      port_file};
  command.insert(command.end(), flags_.begin(), flags_.end());
  pid_ = StartProgram(command, folder_ + "/log");
  std::string text;
  while ((text = ReadTextFile(port_file)).empty()) {
    ASSERT_EQ(waitpid(pid_, nullptr, WNOHANG), 0)
        << "waterflowd ended: " << ReadTextFile(folder_ + "/log");
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  port_ = std::stoi(text);
}

int ServerProgram::Stop() {
  kill(pid_, SIGTERM);
  return WaitForProgram(std::exchange(pid_, -1));
}

void ServerProgram::Kill() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  WaitForProgram(std::exchange(pid_, -1));
}

std::string ServerProgram::address() const {
  return "127.0.0.1:" + std::to_string(port_);
}

CommandResult RunCommand(const ServerProgram& server,
                         const std::vector<std::string>& args) {
  const TemporaryFolder folder;
  std::vector<std::string> command = {WATERFLOW, "--server", server.address()};
  command.insert(command.end(), args.begin(), args.end());
  const pid_t pid = StartProgram(command, folder / "output");
  CommandResult result;
  result.exit_code = WaitForProgram(pid);
  result.output = ReadTextFile(folder / "output");
  return result;
}

}  // namespace waterflow::cli
