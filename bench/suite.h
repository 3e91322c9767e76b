// What a store takes on disk and how fast it answers: W1 and the recorded
// telemetry once each, queries, a server at rest, and the promises that their
// figures are held against. How fast it takes data is bench/ingest.
#ifndef WATERFLOW_BENCH_SUITE_H_
#define WATERFLOW_BENCH_SUITE_H_

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "bench/report.h"
#include "bench/w1.h"

namespace waterflow::bench {

struct SuiteOptions {
  // Parts to run, see Parts(); empty: all.
  std::vector<std::string> parts;
  W1Options w1;
  // Connections that the streams share; 0: one for each stream.
  uint32_t connections = 0;
  uint32_t client_threads = 1;
  uint32_t server_threads = 1;
  // How long each query is asked, over and over.
  absl::Duration seconds = absl::Seconds(3);
  // Of a server that runs already, instead of our own.
  std::string server_address;
  pid_t server_pid = 0;
  std::string sync = "always";
  std::vector<std::string> server_flags;  // more of them for our own
  std::filesystem::path waterflowd;
  std::filesystem::path trace;    // folder of the recorded telemetry
  std::filesystem::path scratch;  // where stores live while they are measured
};

// "w1", "trace", "query", "idle".
const std::vector<std::string>& Parts();

// Fills `report` as it goes, so that what was measured before an error or a
// stop can still be shown.
absl::Status RunSuite(const SuiteOptions& options, Report* report);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_SUITE_H_
