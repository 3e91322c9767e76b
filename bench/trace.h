// Reads a folder of recorded training telemetry (examples/trace/README.md
// describes the files) as workers that can be replayed.
#ifndef WATERFLOW_BENCH_TRACE_H_
#define WATERFLOW_BENCH_TRACE_H_

#include <filesystem>

#include "absl/status/statusor.h"
#include "bench/dataset.h"

namespace waterflow::bench {

// One WorkerRows per run and rank. Series of a worker whose steps and times are
// all the same were logged together and share a lane; any other has its own.
// NOT_FOUND when a file is missing, DATA_LOSS when they do not fit together.
absl::StatusOr<Dataset> ReadTrace(const std::filesystem::path& folder);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_TRACE_H_
