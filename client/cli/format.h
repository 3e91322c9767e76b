// Numbers, times and names as people read them.
#ifndef WATERFLOW_CLIENT_CLI_FORMAT_H_
#define WATERFLOW_CLIENT_CLI_FORMAT_H_

#include <cstdint>
#include <string>

#include "waterflow/v1/metric.pb.h"
#include "waterflow/v1/query.pb.h"
#include "waterflow/v1/tracking.pb.h"

namespace waterflow::cli {

std::string WithCommas(uint64_t number);  // 2,434,100
std::string ShortCount(double number);    // 2.4 M
std::string ShortBytes(uint64_t bytes);   // 5.7 MiB
std::string ShortValue(double value);     // six digits
// The shortest decimal number that reads back as the same value.
std::string ExactValue(double value);
std::string LocalTime(int64_t unix_ns);            // 2026-11-23 22:31:07
std::string ShortDuration(int64_t ns);             // 12m 13s
std::string WorkerText(const v1::Worker& worker);  // 3, eval:0
std::string StatusText(v1::RunStatus status);      // running
std::string ReductionText(v1::Reduction reduction);
std::string GoalText(v1::Goal goal);
// A place on the axis: a step, a wall time, or seconds since the start.
std::string PositionText(v1::Axis axis, int64_t position);
// The first digits of a run's id; run commands take them for the whole.
std::string ShortId(const std::string& run_id);

}  // namespace waterflow::cli

#endif  // WATERFLOW_CLIENT_CLI_FORMAT_H_
