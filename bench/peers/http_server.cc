#include "bench/peers/http_server.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "bench/http_call.h"
#include "bench/stop.h"
#include "bench/target.h"

namespace waterflow::bench {
namespace {

// A Python server with its imports takes its time.
constexpr absl::Duration kReadyTimeout = absl::Seconds(90);
// What a server at rest takes of one core, at most.
constexpr double kRestCores = 0.1;

// One that nobody has now. Others could take it before the server does; on a
// machine that measures nobody else asks for ports.
uint16_t FreePort() {
  const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  uint16_t port = 0;
  if (bind(probe, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
      getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size) == 0) {
    port = ntohs(address.sin_port);
  }
  close(probe);
  return port;
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(
    const HttpServerOptions& options) {
  std::unique_ptr<HttpServer> server(new HttpServer());
  std::string folder = (options.scratch / "waterflow-bench-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) {
    return absl::InternalError(absl::StrCat("cannot make a folder in ",
                                            options.scratch.string(), ": ",
                                            std::strerror(errno)));
  }
  server->folder_ = folder;
  std::filesystem::create_directory(server->folder_ / "data");
  server->port_ = FreePort();
  const auto fill_in = [&](const std::string& text) {
    return absl::StrReplaceAll(text, {{"{data}", folder + "/data"},
                                      {"{folder}", folder},
                                      {"{port}", absl::StrCat(server->port_)}});
  };
  for (const auto& [name, contents] : options.files) {
    std::ofstream(server->folder_ / name) << fill_in(contents);
  }
  std::vector<std::string> command;
  for (const std::string& word : options.command) {
    command.push_back(fill_in(word));
  }
  auto child = ChildProcess::Start(command, folder + "/log");
  if (!child.ok()) return child.status();
  server->child_ = *std::move(child);
  const absl::Status ready = server->AwaitReady(options);
  if (!ready.ok()) return ready;
  const absl::Status rest = server->AwaitRest();
  if (!rest.ok()) return rest;
  return server;
}

absl::Status HttpServer::AwaitReady(const HttpServerOptions& options) {
  const absl::Time end = absl::Now() + kReadyTimeout;
  while (!HttpCall(port_, options.ready, options.ready_body).ok()) {
    if (!child_->Running() || absl::Now() > end) {
      return absl::UnavailableError(
          absl::StrCat("it did not start:\n", child_->Log()));
    }
    if (!SleepUnlessStopped(absl::Milliseconds(50))) {
      return absl::CancelledError("stopped");
    }
  }
  return absl::OkStatus();
}

absl::Status HttpServer::AwaitRest() {
  const absl::Time end = absl::Now() + kReadyTimeout;
  for (double before = -1; absl::Now() < end;) {
    const absl::StatusOr<ProcessUsage> usage = Usage();
    if (!usage.ok()) return usage.status();
    if (before >= 0 && usage->cpu_seconds - before < kRestCores) break;
    before = usage->cpu_seconds;
    if (!SleepUnlessStopped(absl::Seconds(1))) {
      return absl::CancelledError("stopped");
    }
  }
  return absl::OkStatus();
}

HttpServer::~HttpServer() {
  child_.reset();
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

absl::StatusOr<ProcessUsage> HttpServer::Usage() const {
  return ReadTreeUsage(child_->pid());
}

absl::StatusOr<OsCounters> HttpServer::Counters() const {
  OsCounters counters = ReadMachine(folder_);
  const absl::StatusOr<ProcessUsage> usage = Usage();
  if (!usage.ok()) return usage.status();
  counters.server_cpu_seconds = usage->cpu_seconds;
  return counters;
}

uint64_t HttpServer::StopAndWeigh() {
  // How it exits is its own business.
  child_->Stop().IgnoreError();
  return FolderBytes(folder_ / "data");
}

std::filesystem::path FindProgram(const std::filesystem::path& peers,
                                  const std::string& program) {
  for (const std::filesystem::path& path :
       {peers / "bin" / program, std::filesystem::path("/usr/bin") / program}) {
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

std::string InstalledVersion(const std::filesystem::path& peers,
                             const std::string& name) {
  std::string version;
  std::ifstream(peers / (name + ".version")) >> version;
  return version.empty() ? "the machine's package" : version;
}

absl::Status NotInstalled(const std::string& name) {
  return absl::NotFoundError(
      absl::StrCat("not installed: bench/peers/install ", name));
}

}  // namespace waterflow::bench
