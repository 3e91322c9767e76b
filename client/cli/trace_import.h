// Replays a planned trace into a server: one stream a worker, as the training
// job itself would have sent it.
#ifndef WATERFLOW_CLIENT_CLI_TRACE_IMPORT_H_
#define WATERFLOW_CLIENT_CLI_TRACE_IMPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/api.h"
#include "client/cli/progress.h"
#include "client/cli/trace.h"
#include "client/cli/trace_plan.h"

namespace waterflow::cli {

struct ImportOptions {
  // Times real time; 0: as fast as it goes.
  double speed = 0;
  // Streams that are open at once.
  size_t streams = 64;
};

struct ImportedRun {
  std::string id;
  uint64_t rows = 0;
  // Of these: what the server had from an earlier import.
  uint64_t rows_already_there = 0;
};

// Creates the runs (or finds those of an earlier import), streams all rows,
// waits for their acks, and marks the runs as finished. Returns one entry per
// plan. The first stream that fails ends the import; a second import goes on
// where it stopped.
absl::StatusOr<std::vector<ImportedRun>> ImportTrace(
    Api& api, const Trace& trace, const std::vector<RunPlan>& plans,
    const ImportOptions& options, ProgressCounts* progress);

}  // namespace waterflow::cli

#endif  // WATERFLOW_CLIENT_CLI_TRACE_IMPORT_H_
