#include "bench/peers/remote_write_server.h"

namespace waterflow::bench {

// Both keep everything: what W1 logs lies hours back.
absl::StatusOr<std::unique_ptr<HttpServer>> StartRemoteWriteServer(
    const std::string& name, const PeerOptions& options) {
  const std::string program = FindProgram(options.peers, name).string();
  if (name == kVictoriaMetrics) {
    return HttpServer::Start(
        {.command = {program, "-storageDataPath={data}",
                     "-httpListenAddr=127.0.0.1:{port}",
                     "-retentionPeriod=100y", "-loggerLevel=ERROR"},
         .files = {},
         .ready = "/health",
         .scratch = options.scratch});
  }
  return HttpServer::Start(
      {.command = {program, "--config.file={folder}/prometheus.yml",
                   "--storage.tsdb.path={data}",
                   "--storage.tsdb.retention.time=100y",
                   "--web.listen-address=127.0.0.1:{port}",
                   "--web.enable-remote-write-receiver", "--log.level=error"},
       .files = {{"prometheus.yml", ""}},
       .ready = "/-/ready",
       .scratch = options.scratch});
}

HttpLoadOptions RemoteWriteLoad() {
  HttpLoadOptions options;
  options.target = "/api/v1/write";
  options.headers = {{"Content-Type", "application/x-protobuf"},
                     {"Content-Encoding", "snappy"},
                     {"X-Prometheus-Remote-Write-Version", "0.1.0"},
                     {"User-Agent", "waterflow-bench"}};
  return options;
}

}  // namespace waterflow::bench
