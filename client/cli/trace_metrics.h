// What a trace does not say of its metrics and their names give away.
#ifndef WATERFLOW_CLIENT_CLI_TRACE_METRICS_H_
#define WATERFLOW_CLIENT_CLI_TRACE_METRICS_H_

#include <string>

#include "client/cli/trace.h"
#include "waterflow/v1/metric.pb.h"

namespace waterflow::cli {

// Name, unit, goal, role and how workers combine.
v1::Metric DescribeMetric(const TraceSeries& series);

}  // namespace waterflow::cli

#endif  // WATERFLOW_CLIENT_CLI_TRACE_METRICS_H_
