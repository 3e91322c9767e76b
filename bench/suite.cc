#include "bench/suite.h"

#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/bed.h"
#include "bench/query_load.h"
#include "bench/stop.h"
#include "bench/target.h"
#include "bench/trace.h"

namespace waterflow::bench {
namespace {

constexpr uint32_t kBulkRows = 64;
class Suite {
 public:
  Suite(const SuiteOptions& options, Report* report)
      : options_(options), report_(*report), bed_(options, &report->setting) {}

  absl::Status Run();

 private:
  bool Wants(const std::string& part) const {
    return options_.parts.empty() ||
           std::find(options_.parts.begin(), options_.parts.end(), part) !=
               options_.parts.end();
  }

  absl::Status RunOnce();
  absl::Status RunTraceAndQueries();
  absl::Status RunIdle();
  absl::Status Query(Target& target, const std::string& name,
                     const v1::ReadRequest& request);

  const SuiteOptions& options_;
  Report& report_;
  Bed bed_;
};

// W1 as it is, once: the size on disk with no row made twice.
absl::Status Suite::RunOnce() {
  const Dataset w1 = MakeW1(options_.w1);
  auto target = bed_.Start();
  if (!target.ok()) return target.status();
  auto workers = bed_.Encode(w1, kBulkRows, **target);
  if (!workers.ok()) return workers.status();
  LoadFigures figures{.load = "W1 once"};
  absl::Status status = bed_.Load(**target, *workers, &figures);
  if (status.ok()) status = bed_.Weigh(**target, &figures);
  if (!status.ok()) return status;
  report_.loads.push_back(std::move(figures));
  return (*target)->Stop();
}

absl::Status Suite::Query(Target& target, const std::string& name,
                          const v1::ReadRequest& request) {
  std::cerr << "query: " << name << " ..." << std::endl;
  const absl::StatusOr<QueryResult> result =
      RunQueries(target, request, options_.seconds);
  if (!result.ok()) return result.status();
  const Histogram& times = result->round_trip_ns;
  report_.queries.push_back(
      {.query = name,
       .points = result->points_per_query,
       .p50_ms = static_cast<double>(times.Percentile(0.5)) * 1e-6,
       .p99_ms = static_cast<double>(times.Percentile(0.99)) * 1e-6,
       .server_cpu_ms = result->server_cpu_ns_per_query * 1e-6});
  return absl::OkStatus();
}

absl::Status Suite::RunTraceAndQueries() {
  absl::StatusOr<Dataset> trace = ReadTrace(options_.trace);
  if (!trace.ok()) return trace.status();
  auto target = bed_.Start();
  if (!target.ok()) return target.status();
  auto workers = bed_.Encode(*trace, kBulkRows, **target);
  if (!workers.ok()) return workers.status();
  LoadFigures figures{.load = "trace once"};
  absl::Status status = bed_.Load(**target, *workers, &figures);
  if (status.ok()) status = bed_.Weigh(**target, &figures);
  if (!status.ok()) return status;
  if (figures.disk_bytes_per_sample.has_value()) {
    report_.goals.push_back({.what = "trace on disk, bit-exact",
                             .value = *figures.disk_bytes_per_sample,
                             .limit = 3.3,
                             .unit = "B/sample"});
  }
  report_.loads.push_back(std::move(figures));

  if (Wants("query")) {
    v1::ReadRequest request;
    request.add_run_ids(bed_.run_id("lm_base"));
    request.add_metrics("train/loss");
    status = Query(**target, "8 ranks x 3,200 steps, raw", request);
    if (!status.ok()) return status;
    report_.goals.push_back({.what = "query, 8 ranks x 3,200 steps: p99",
                             .value = report_.queries.back().p99_ms,
                             .limit = 20,
                             .unit = "ms"});
    request.set_max_points(200);
    status = Query(**target, "the same in 200 buckets a rank", request);
    if (!status.ok()) return status;
    request.set_max_points(0);
    request.set_reduction(v1::REDUCTION_MEAN);
    status = Query(**target, "the same, mean over ranks per step", request);
    if (!status.ok()) return status;
  }
  return (*target)->Stop();
}

absl::Status Suite::RunIdle() {
  std::cerr << "idle ..." << std::endl;
  auto target = bed_.Start();
  if (!target.ok()) return target.status();
  // Past what a start costs.
  SleepUnlessStopped(absl::Seconds(2));
  const absl::Duration window = std::min(absl::Seconds(10), options_.seconds);
  const absl::StatusOr<ProcessUsage> before = (*target)->Usage();
  if (!before.ok()) return before.status();
  if (!SleepUnlessStopped(window)) return absl::CancelledError("stopped");
  const absl::StatusOr<ProcessUsage> after = (*target)->Usage();
  if (!after.ok()) return after.status();
  report_.idle = {.core_percent = 100 *
                                  (after->cpu_seconds - before->cpu_seconds) /
                                  absl::ToDoubleSeconds(window),
                  .resident_bytes = after->resident_bytes};
  report_.goals.push_back({.what = "idle, empty store: CPU",
                           .value = report_.idle->core_percent,
                           .limit = 1,
                           .unit = "% of a core"});
  report_.goals.push_back(
      {.what = "idle, empty store: resident memory",
       .value = static_cast<double>(report_.idle->resident_bytes) * 1e-6,
       .limit = 60,
       .unit = "MB"});
  return (*target)->Stop();
}

absl::Status Suite::Run() {
  const W1Options& w1 = options_.w1;
  report_.setting = Here();
  report_.setting.sync =
      options_.server_address.empty() ? options_.sync : "as started";
  report_.setting.workload = absl::StrFormat(
      "W1: %d workers x %d metrics x %d steps, seed %d; %s connections",
      w1.workers, w1.metrics, w1.steps, w1.seed,
      options_.connections == 0 ? absl::StrCat(w1.workers)
                                : absl::StrCat(options_.connections));
  if (Wants("w1")) {
    const absl::Status status = RunOnce();
    if (!status.ok()) return status;
  }
  if (Wants("trace") || Wants("query")) {
    const absl::Status status = RunTraceAndQueries();
    if (!status.ok()) return status;
  }
  // A server that others use is not idle.
  if (Wants("idle") && options_.server_address.empty()) return RunIdle();
  return absl::OkStatus();
}

}  // namespace

const std::vector<std::string>& Parts() {
  static const auto* const kParts =
      new std::vector<std::string>{"w1", "trace", "query", "idle"};
  return *kParts;
}

absl::Status RunSuite(const SuiteOptions& options, Report* report) {
  return Suite(options, report).Run();
}

}  // namespace waterflow::bench
