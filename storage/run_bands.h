// Many runs side by side along one axis: what groups of them come to in each
// bucket. The meaning of every field is that of BandsRequest and BandsResponse.
#ifndef WATERFLOW_STORAGE_RUN_BANDS_H_
#define WATERFLOW_STORAGE_RUN_BANDS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "storage/model/ids.h"
#include "storage/read.h"
#include "storage/selection.h"

namespace waterflow::storage {

struct BandsSpec {
  std::vector<Uuid> runs;
  std::optional<RunFilter> run_filter;  // in place of `runs`
  std::string metric;
  Axis axis = Axis::kStep;
  std::string x_metric;  // empty: the axis
  std::optional<Interval> step_range;
  uint32_t max_points = 0;                    // 0: each step
  Reduction reduction = Reduction::kDefault;  // over the workers of a run
  std::vector<std::string> group_by;
  // Asked now and then; the answer ends with CANCELLED when it says so.
  std::function<bool()> cancelled = nullptr;
};

// The runs that agree in all that they are grouped by.
struct RunGroup {
  std::vector<std::optional<std::string>> key;  // absent: the runs lack it
  std::vector<Uuid> runs;                       // that have a point
  // Over runs: each has one value in a bucket. Extremes name runs by their
  // places in `runs`. With an x_metric, positions are steps.
  std::vector<Bucket> buckets;
  // With an x_metric: the least and the greatest x in each bucket.
  std::vector<double> first_x;
  std::vector<double> last_x;
};

// Takes the groups one by one; an error from it ends the answer.
using GroupSink = std::function<absl::Status(RunGroup)>;

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_RUN_BANDS_H_
