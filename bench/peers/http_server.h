// Another system as a child process that serves HTTP on a loopback port, with a
// fresh folder for what it keeps.
#ifndef WATERFLOW_BENCH_PEERS_HTTP_SERVER_H_
#define WATERFLOW_BENCH_PEERS_HTTP_SERVER_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/load.h"
#include "bench/process.h"

namespace waterflow::bench {

struct HttpServerOptions {
  // In it and in `files` "{data}" stands for a place for its store, "{port}"
  // for its port, "{folder}" for the folder of `files`.
  std::vector<std::string> command;
  std::map<std::string, std::string> files;  // contents by name
  std::string ready;            // a path that answers once it serves ...
  std::string ready_body = {};  // ... to a post of this, if it is not empty
  std::filesystem::path scratch;
};

class HttpServer {
 public:
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(
      const HttpServerOptions& options);
  // Ends the process and removes its folder.
  ~HttpServer();

  uint16_t port() const { return port_; }
  // Of the process and all that it started.
  absl::StatusOr<ProcessUsage> Usage() const;
  // For LoadOptions.
  absl::StatusOr<OsCounters> Counters() const;
  // Ends the process, as well as it can, and returns what its folder holds.
  uint64_t StopAndWeigh();

 private:
  HttpServer() = default;
  absl::Status AwaitReady(const HttpServerOptions& options);
  // Answering is not the end of a start: workers of a server that forks may
  // still load their libraries.
  absl::Status AwaitRest();

  uint16_t port_ = 0;
  std::filesystem::path folder_;
  std::unique_ptr<ChildProcess> child_;
};

// Where `program` is: installed by bench/peers/install, or by the machine's own
// packages; empty when it is nowhere.
std::filesystem::path FindProgram(const std::filesystem::path& peers,
                                  const std::string& program);
// "v1.151.0" as it was installed.
std::string InstalledVersion(const std::filesystem::path& peers,
                             const std::string& name);
// What Peer::Installed says of one that is not there.
absl::Status NotInstalled(const std::string& name);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_PEERS_HTTP_SERVER_H_
