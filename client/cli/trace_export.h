// Runs as a trace again.
#ifndef WATERFLOW_CLIENT_CLI_TRACE_EXPORT_H_
#define WATERFLOW_CLIENT_CLI_TRACE_EXPORT_H_

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/api.h"
#include "client/cli/trace.h"

namespace waterflow::cli {

// Reads every point of a run, in the order it was logged; the sink is told them
// part by part, a series' parts one after the other.
absl::Status ReadWholeRun(Api& api, const v1::Run& run,
                          const client::Reader::PartSink& sink);

// Every step, time and value bit for bit; series in the order of the trace that
// the runs came from. INVALID_ARGUMENT for what a trace cannot say: points
// without a step, workers with a role, two runs of one name.
absl::StatusOr<Trace> CollectTrace(Api& api, std::vector<v1::Run> runs);

}  // namespace waterflow::cli

#endif  // WATERFLOW_CLIENT_CLI_TRACE_EXPORT_H_
