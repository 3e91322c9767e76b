// A trace as runs, streams and lanes: which series were logged together, and
// what of the index is kept in the run so that an export can give it back.
#ifndef WATERFLOW_CLIENT_CLI_TRACE_PLAN_H_
#define WATERFLOW_CLIENT_CLI_TRACE_PLAN_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/trace.h"
#include "waterflow/v1/tracking.pb.h"

namespace waterflow::cli {

// Series of one worker with the same steps and times: one schema.
struct LanePlan {
  std::vector<const TraceSeries*> series;

  uint64_t rows() const { return series.front()->count; }
};

// One worker of a run.
struct StreamPlan {
  uint32_t rank = 0;
  std::vector<LanePlan> lanes;
  uint64_t rows = 0;
};

struct RunPlan {
  std::string name;
  v1::CreateRunRequest create;
  std::vector<StreamPlan> streams;
  uint64_t rows = 0;
  uint64_t samples = 0;
  int64_t start_ns = 0;
  int64_t end_ns = 0;
};

// Points into `trace`. All runs, or only those named; NOT_FOUND when one is not
// there. Always the same plan for the same trace: a row has the same number
// each time, which is what makes a second import harmless.
absl::StatusOr<std::vector<RunPlan>> PlanImport(
    const Trace& trace, const std::string& project,
    const std::vector<std::string>& only);

// What the index said of a metric's series.
struct MetricNote {
  std::string cls;
  std::string native;
  // Their places among the series of the run, by ascending rank: as listed, or
  // from `first` on in steps of `stride`.
  uint64_t first = 0;
  uint64_t stride = 0;
  std::vector<uint64_t> listed;

  uint64_t PlaceOf(size_t nth_rank) const;
};

// What PlanImport left in a run's tags and params.
std::map<std::string, MetricNote> MetricNotes(const v1::Run& run);
nlohmann::ordered_json ParamsOf(const v1::Run& run);
// The run's place among the runs of the index; those of no trace come last.
uint64_t OrderOf(const v1::Run& run);

}  // namespace waterflow::cli

#endif  // WATERFLOW_CLIENT_CLI_TRACE_PLAN_H_
