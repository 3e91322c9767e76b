#include "bench/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace waterflow::bench {
namespace {

// A busy store may have to commit and close; what takes longer hangs.
constexpr absl::Duration kStopTimeout = absl::Seconds(60);

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) +
         static_cast<double>(time.tv_usec) * 1e-6;
}

// Runs in the child between fork and exec, where only async-signal-safe calls
// are allowed.
[[noreturn]] void Become(char* const* argv, int log, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(127);
  // Not in the terminal's group: Ctrl-C is for us to pass on, in order.
  setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  execv(argv[0], argv);
  _exit(127);
}

}  // namespace

absl::StatusOr<ProcessUsage> ReadUsage(pid_t pid) {
  const std::string stat = ReadWhole(absl::StrCat("/proc/", pid, "/stat"));
  // The name in parentheses may hold blanks; field 3 follows it.
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) {
    return absl::NotFoundError(absl::StrCat("process ", pid, " is gone"));
  }
  const std::vector<std::string> fields =
      absl::StrSplit(stat.substr(name_end + 2), ' ');
  uint64_t user = 0;
  uint64_t system = 0;
  if (fields.size() < 13 || !absl::SimpleAtoi(fields[11], &user) ||
      !absl::SimpleAtoi(fields[12], &system)) {
    return absl::InternalError(absl::StrCat("cannot read /proc/", pid));
  }
  ProcessUsage usage;
  usage.cpu_seconds = static_cast<double>(user + system) /
                      static_cast<double>(sysconf(_SC_CLK_TCK));
  for (absl::string_view line : absl::StrSplit(
           ReadWhole(absl::StrCat("/proc/", pid, "/status")), '\n')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    uint64_t kib = 0;
    if (words.size() != 3 || !absl::SimpleAtoi(words[1], &kib)) continue;
    if (words[0] == "VmRSS:") usage.resident_bytes = kib << 10;
    if (words[0] == "VmHWM:") usage.peak_resident_bytes = kib << 10;
  }
  return usage;
}

absl::StatusOr<ProcessUsage> ReadTreeUsage(pid_t root) {
  std::vector<std::pair<pid_t, pid_t>> parents;  // of each process
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc", error)) {
    pid_t pid = 0;
    pid_t parent = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    const std::string stat = ReadWhole(entry.path() / "stat");
    const size_t name_end = stat.rfind(')');
    if (name_end == std::string::npos) continue;  // gone meanwhile
    const std::vector<std::string> fields =
        absl::StrSplit(stat.substr(name_end + 2), ' ');
    if (fields.size() < 2 || !absl::SimpleAtoi(fields[1], &parent)) continue;
    parents.emplace_back(pid, parent);
  }
  absl::StatusOr<ProcessUsage> sum = ReadUsage(root);
  if (!sum.ok()) return sum;
  std::vector<pid_t> family = {root};
  for (size_t i = 0; i < family.size(); ++i) {
    for (const auto& [pid, parent] : parents) {
      if (parent != family[i]) continue;
      family.push_back(pid);
      const absl::StatusOr<ProcessUsage> usage = ReadUsage(pid);
      if (!usage.ok()) continue;
      sum->cpu_seconds += usage->cpu_seconds;
      sum->resident_bytes += usage->resident_bytes;
      sum->peak_resident_bytes += usage->peak_resident_bytes;
    }
  }
  return sum;
}

double OwnCpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
}

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(
    const std::vector<std::string>& command, const std::string& log_path) {
  if (access(command[0].c_str(), X_OK) != 0) {
    return absl::NotFoundError(
        absl::StrCat(command[0], " is not there; scripts/setup --build"));
  }
  const int log =
      open(log_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (log < 0) {
    return absl::InternalError(
        absl::StrCat("cannot write ", log_path, ": ", std::strerror(errno)));
  }
  std::vector<std::string> words = command;
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) Become(argv.data(), log, parent);
  const int error = errno;
  // Here too: whichever of the two comes first.
  if (pid > 0) setpgid(pid, pid);
  close(log);
  if (pid < 0) {
    return absl::InternalError(absl::StrCat("fork: ", std::strerror(error)));
  }
  return std::unique_ptr<ChildProcess>(new ChildProcess(pid, log_path));
}

ChildProcess::~ChildProcess() { Stop().IgnoreError(); }

bool ChildProcess::Running() {
  if (!reaped_ && waitpid(pid_, &exit_status_, WNOHANG) == pid_) reaped_ = true;
  return !reaped_;
}

absl::Status ChildProcess::Stop() {
  // Its group, which is its own: a program that starts others may leave them.
  if (Running()) kill(-pid_, SIGTERM);
  const absl::Time end = absl::Now() + kStopTimeout;
  while (Running() && absl::Now() < end) absl::SleepFor(absl::Milliseconds(5));
  if (Running()) {
    kill(pid_, SIGKILL);
    waitpid(pid_, &exit_status_, 0);
    reaped_ = true;
  }
  kill(-pid_, SIGKILL);
  if (WIFEXITED(exit_status_) && WEXITSTATUS(exit_status_) == 0) {
    return absl::OkStatus();
  }
  return absl::InternalError(absl::StrCat(
      "the server ended badly, wait status ", exit_status_, ":\n", Log()));
}

std::string ChildProcess::Log() const { return ReadWhole(log_path_); }

}  // namespace waterflow::bench
