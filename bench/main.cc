// waterflow-bench: measures a Waterflow server, and is what it is measured
// against.
#include <google/protobuf/stubs/common.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "absl/synchronization/mutex.h"
#include "bench/group_backend.h"
#include "bench/ingest/command.h"
#include "bench/query/command.h"
#include "bench/report.h"
#include "bench/stop.h"
#include "bench/suite.h"

namespace waterflow::bench {
namespace {

constexpr char kDescription[] =
    "Measures a Waterflow server: what a store takes on disk and how fast it "
    "answers. `ingest` and `query` measure how fast it takes data and answers "
    "a dashboard, next to others.";

struct Flags {
  SuiteOptions suite;
  double seconds = 3;
  std::string json;

  GroupServerOptions group;
};

void AddBenchOptions(CLI::App* app, Flags* flags) {
  SuiteOptions& suite = flags->suite;
  app->add_option("--only", suite.parts, "Run these parts only")
      ->delimiter(',')
      ->check(CLI::IsMember(Parts()));
  app->add_option("--seconds", flags->seconds, "How long each query is asked")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  app->add_option("--json", flags->json, "Also write the figures to this file")
      ->type_name("FILE");
  app->add_option("--workers", suite.w1.workers, "Streams of W1")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app->add_option("--metrics", suite.w1.metrics, "Metrics of each")
      ->check(CLI::Range(1, 16384))
      ->capture_default_str();
  app->add_option("--steps", suite.w1.steps, "Rows of each")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app->add_option("--seed", suite.w1.seed, "Seed of the values")
      ->capture_default_str();
  app->add_option("--connections", suite.connections,
                  "Connections that the streams share; 0: one for each stream")
      ->capture_default_str();
  app->add_option("--client-threads", suite.client_threads,
                  "Threads that make the load")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app->add_option("--server-threads", suite.server_threads,
                  "Polling threads of the server")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app->add_option("--sync", suite.sync, "Sync policy of the server")
      ->capture_default_str();
  app->add_option("--server-flag", suite.server_flags,
                  "One more flag for the server, such as "
                  "--server-flag=--memory-limit=1G; may be repeated")
      ->type_size(1)
      ->allow_extra_args(false);
  app->add_option("--server", suite.server_address,
                  "Measure this server instead of one of our own; what it "
                  "stores stays there")
      ->type_name("HOST:PORT");
  app->add_option("--server-pid", suite.server_pid,
                  "Its process on this machine, for CPU and memory; absent: it "
                  "is asked");
  app->add_option("--waterflowd", suite.waterflowd, "The server's program")
      ->capture_default_str();
  app->add_option("--trace", suite.trace, "Folder of the recorded telemetry")
      ->capture_default_str();
  app->add_option("--scratch", suite.scratch,
                  "Folder on the disk to measure; stores are removed again")
      ->capture_default_str();
}

int Measure(Flags& flags) {
  SuiteOptions& suite = flags.suite;
  suite.seconds = absl::Seconds(flags.seconds);
  Report report;
  const absl::Status status = RunSuite(suite, &report);
  PrintTable(report, std::cout);
  if (!flags.json.empty()) std::ofstream(flags.json) << ToJson(report);
  if (!status.ok()) {
    std::cerr << "waterflow-bench: " << status.message() << "\n";
    return 1;
  }
  return 0;
}

int Main(int argc, char** argv) {
  // As the server does: Debian's Abseil looks for deadlocks at each lock.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  BlockStopSignals();
  Flags flags;
  std::error_code error;
  const std::filesystem::path self =
      std::filesystem::read_symlink("/proc/self/exe", error);
  const std::filesystem::path folder = self.parent_path();
  flags.suite.waterflowd = folder / "waterflowd";
  flags.suite.trace = "examples/trace";
  flags.suite.scratch = std::filesystem::temp_directory_path(error);

  CLI::App app(kDescription, "waterflow-bench");
  AddBenchOptions(&app, &flags);
  const PeerOptions peers = {.waterflowd = flags.suite.waterflowd,
                             .self = self,
                             .peers = "build/peers",
                             .scratch = flags.suite.scratch,
                             .server_flags = {}};
  IngestCommand ingest(peers, &app);
  QueryCommand query(peers, &app);
  CompareCommand compare(&app);
  CLI::App* sink = app.add_subcommand(
      "sink", "Be a server with something simpler than the engine behind it");
  sink->add_option("--listen", flags.group.listen, "Address to serve on")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  sink->add_option("--threads", flags.group.threads, "Polling threads")
      ->capture_default_str();
  sink->add_option("--port-file", flags.group.port_file,
                   "Writes the bound port to this file once it serves");
  sink->add_option("--store", flags.group.store,
                   "sink: counts bytes and forgets them; file: appends them to "
                   "a file; naive: a RocksDB key for each sample")
      ->check(CLI::IsMember({"sink", "file", "naive"}))
      ->capture_default_str();
  sink->add_option("--data-dir", flags.group.folder,
                   "Folder of file and naive");
  CLI11_PARSE(app, argc, argv);

  if (ingest.parsed()) return ingest.Run();
  if (query.parsed()) return query.Run();
  if (compare.parsed()) return compare.Run();
  if (!sink->parsed()) return Measure(flags);
  const absl::Status status = RunGroupServer(flags.group);
  if (status.ok()) return 0;
  std::cerr << "waterflow-bench: " << status.message() << "\n";
  return 1;
}

}  // namespace
}  // namespace waterflow::bench

int main(int argc, char** argv) { return waterflow::bench::Main(argc, argv); }
