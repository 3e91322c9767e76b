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
// Of those that run once: longer means that something hangs.
constexpr absl::Duration kOnceTimeout = absl::Minutes(5);

// A shape of load with its promise, if it has one.
struct LoadPart {
  std::string part;
  std::string name;
  uint32_t rows = 0;
  LoadShape shape = LoadShape::kFlood;
  double share = 1;  // of the window that was asked for
  std::optional<double> most_ns_above_sink = {};
  std::optional<double> most_times_sink = {};
};

const std::vector<LoadPart>& LoadParts() {
  static const auto* const kParts = new std::vector<LoadPart>{
      {.part = "flood64",
       .name = "flood, 64 rows",
       .rows = 64,
       .most_ns_above_sink = 50},
      {.part = "flood16", .name = "flood, 16 rows", .rows = 16, .share = 0.5},
      {.part = "flood1",
       .name = "flood, 1 row",
       .rows = 1,
       .most_ns_above_sink = 90},
      {.part = "live",
       .name = "live, 1 row",
       .rows = 1,
       .shape = LoadShape::kLive,
       .most_times_sink = 2.5},
  };
  return *kParts;
}

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

  absl::Status RunLoadPart(const LoadPart& part);
  absl::Status RunOnce();
  absl::Status RunTraceAndQueries();
  absl::Status RunIdle();
  absl::Status Query(Target& target, const std::string& name,
                     const v1::ReadRequest& request);
  void AddLoadGoals(const LoadPart& part);

  const SuiteOptions& options_;
  Report& report_;
  Bed bed_;
  Dataset w1_;
};

void Suite::AddLoadGoals(const LoadPart& part) {
  const LoadFigures* sink = report_.Find(part.name, kSink);
  const LoadFigures* server = report_.Find(part.name, kServer);
  if (sink == nullptr || server == nullptr) return;
  if (part.most_ns_above_sink.has_value()) {
    report_.goals.push_back(
        {.what = absl::StrCat(part.name, ": server CPU above the sink"),
         .value = server->server_ns_per_sample() - sink->server_ns_per_sample(),
         .limit = *part.most_ns_above_sink,
         .unit = "ns/sample"});
  }
  if (part.most_times_sink.has_value()) {
    report_.goals.push_back(
        {.what = absl::StrCat(part.name, ": server CPU over the sink's"),
         .value = server->server_ns_per_sample() / sink->server_ns_per_sample(),
         .limit = *part.most_times_sink,
         .unit = "times"});
  }
}

// Sink, server, sink: what else the machine does hits both alike.
absl::Status Suite::RunLoadPart(const LoadPart& part) {
  LoadFigures sink{.load = part.name, .subject = kSink};
  LoadFigures server{.load = part.name, .subject = kServer};
  for (const std::string subject : {kSink, kServer, kSink}) {
    const bool is_sink = subject == kSink;
    if (is_sink ? !options_.sink : !options_.server) continue;
    auto target = bed_.Start(subject);
    if (!target.ok()) return target.status();
    auto workers =
        bed_.Encode(w1_, part.rows, is_sink ? nullptr : target->get());
    if (!workers.ok()) return workers.status();
    LoadFigures* const figures = is_sink ? &sink : &server;
    const absl::Duration window =
        options_.seconds * part.share * (is_sink ? 0.25 : 1);
    absl::Status status =
        bed_.Load(**target, *workers, part.shape, window, figures);
    if (status.ok() && !is_sink) status = bed_.Weigh(**target, figures);
    if (status.ok()) status = (*target)->Stop();
    if (!status.ok()) return status;
  }
  if (options_.sink) report_.loads.push_back(std::move(sink));
  if (options_.server) report_.loads.push_back(std::move(server));
  AddLoadGoals(part);
  return absl::OkStatus();
}

// W1 as it is, once: the size on disk with no row made twice.
absl::Status Suite::RunOnce() {
  auto target = bed_.Start(kServer);
  if (!target.ok()) return target.status();
  auto workers = bed_.Encode(w1_, kBulkRows, target->get());
  if (!workers.ok()) return workers.status();
  LoadFigures figures{.load = "W1 once", .subject = kServer};
  absl::Status status =
      bed_.Load(**target, *workers, LoadShape::kOnce, kOnceTimeout, &figures);
  if (status.ok()) status = bed_.Weigh(**target, &figures);
  if (!status.ok()) return status;
  report_.loads.push_back(std::move(figures));
  return (*target)->Stop();
}

absl::Status Suite::Query(Target& target, const std::string& name,
                          const v1::ReadRequest& request) {
  std::cerr << "query: " << name << " ..." << std::endl;
  const absl::StatusOr<QueryResult> result =
      RunQueries(target, request, options_.seconds / 20);
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
  auto target = bed_.Start(kServer);
  if (!target.ok()) return target.status();
  auto workers = bed_.Encode(*trace, kBulkRows, target->get());
  if (!workers.ok()) return workers.status();
  LoadFigures figures{.load = "trace once", .subject = kServer};
  absl::Status status =
      bed_.Load(**target, *workers, LoadShape::kOnce, kOnceTimeout, &figures);
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
  auto target = bed_.Start(kServer);
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
      "W1: %d workers x %d metrics x %d steps, seed %d; %s connections, window "
      "%s",
      w1.workers, w1.metrics, w1.steps, w1.seed,
      options_.connections == 0 ? absl::StrCat(w1.workers)
                                : absl::StrCat(options_.connections),
      absl::FormatDuration(options_.seconds));
  const bool loads =
      std::any_of(LoadParts().begin(), LoadParts().end(),
                  [&](const LoadPart& part) { return Wants(part.part); });
  if (loads || Wants("w1")) w1_ = MakeW1(w1);
  for (const LoadPart& part : LoadParts()) {
    if (!Wants(part.part)) continue;
    const absl::Status status = RunLoadPart(part);
    if (!status.ok()) return status;
  }
  if (!options_.server) return absl::OkStatus();
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
  static const auto* const kParts = [] {
    auto* parts = new std::vector<std::string>;
    for (const LoadPart& part : LoadParts()) parts->push_back(part.part);
    for (const char* part : {"w1", "trace", "query", "idle"}) {
      parts->push_back(part);
    }
    return parts;
  }();
  return *kParts;
}

absl::Status RunSuite(const SuiteOptions& options, Report* report) {
  return Suite(options, report).Run();
}

}  // namespace waterflow::bench
