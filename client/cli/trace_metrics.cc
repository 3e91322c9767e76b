#include "client/cli/trace_metrics.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace waterflow::cli {
namespace {

std::string UnitOf(absl::string_view name) {
  if (absl::EndsWith(name, "tokens_per_s")) return "tokens/s";
  if (absl::EndsWith(name, "mflops_per_s")) return "MFLOP/s";
  if (absl::EndsWith(name, "_per_s")) return "1/s";
  if (absl::EndsWith(name, "_s")) return "s";
  if (absl::EndsWith(name, "_ms")) return "ms";
  if (absl::EndsWith(name, "_bytes")) return "bytes";
  if (absl::EndsWith(name, "_percent")) return "%";
  if (absl::EndsWith(name, "bits_per_char")) return "bits";
  return "";
}

v1::Goal GoalOf(absl::string_view name, absl::string_view cls) {
  if (cls != "loss") return v1::GOAL_UNSPECIFIED;
  for (const absl::string_view good : {"accuracy", "auc", "f1"}) {
    if (absl::StrContains(name, good)) return v1::GOAL_MAXIMIZE;
  }
  return v1::GOAL_MINIMIZE;
}

v1::Reduction ReductionOf(absl::string_view name, absl::string_view cls) {
  // A rate of the job is the sum of its workers' rates; the job waits for its
  // slowest; counters are equal on all workers or nearly so.
  if (absl::EndsWith(name, "_per_s")) return v1::REDUCTION_SUM;
  if (cls == "time" || cls == "counter") return v1::REDUCTION_MAX;
  if (absl::EndsWith(name, "rss_bytes")) return v1::REDUCTION_SUM;
  return v1::REDUCTION_MEAN;
}

}  // namespace

v1::Metric DescribeMetric(const TraceSeries& series) {
  v1::Metric metric;
  metric.set_name(series.metric);
  metric.set_unit(UnitOf(series.metric));
  metric.set_goal(GoalOf(series.metric, series.cls));
  metric.set_reduction(ReductionOf(series.metric, series.cls));
  for (const absl::string_view name :
       {"perf/step_time_s", "perf/iter_time_s", "perf/epoch_time_s"}) {
    if (series.metric == name) metric.set_role("step_time");
  }
  return metric;
}

}  // namespace waterflow::cli
