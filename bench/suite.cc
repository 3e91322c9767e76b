#include "bench/suite.h"

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/query_load.h"
#include "bench/stop.h"
#include "bench/target.h"
#include "bench/trace.h"

namespace waterflow::bench {
namespace {

constexpr uint32_t kBulkRows = 64;
constexpr char kSink[] = "sink";
constexpr char kServer[] = "server";
// The sink does not look at it.
constexpr char kSinkRun[] = "00000000000000000000000000000000";
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
      : options_(options), report_(*report) {}

  absl::Status Run();

 private:
  bool Wants(const std::string& part) const {
    return options_.parts.empty() ||
           std::find(options_.parts.begin(), options_.parts.end(), part) !=
               options_.parts.end();
  }

  absl::StatusOr<std::unique_ptr<Target>> StartSubject(
      const std::string& subject);
  absl::StatusOr<std::vector<WorkerLoad>> Encode(const Dataset& dataset,
                                                 uint32_t rows, Target* target);
  // Loads a target, and if it is a server of ours, lets it settle and weighs
  // what lies on its disk.
  absl::Status Load(Target& target, const std::vector<WorkerLoad>& workers,
                    LoadShape shape, absl::Duration window,
                    LoadFigures* figures);

  absl::Status RunLoadPart(const LoadPart& part);
  absl::Status RunOnce();
  absl::Status RunTraceAndQueries();
  absl::Status RunIdle();
  absl::Status Query(Target& target, const std::string& name,
                     const v1::ReadRequest& request);
  absl::Status Weigh(Target& target, LoadFigures* figures);
  void AddLoadGoals(const LoadPart& part);

  const SuiteOptions& options_;
  Report& report_;
  Dataset w1_;
  // By name; ids of runs made on the target that is up.
  std::map<std::string, std::string> runs_;
};

absl::StatusOr<std::unique_ptr<Target>> Suite::StartSubject(
    const std::string& subject) {
  const std::string threads = absl::StrCat(options_.server_threads);
  if (subject == kSink) {
    return Target::Start({options_.self.string(), "sink", "--threads", threads,
                          "--port-file", "{port}"},
                         options_.scratch);
  }
  absl::StatusOr<std::unique_ptr<Target>> target;
  if (!options_.server_address.empty()) {
    target = Target::Attach(options_.server_address, options_.server_pid);
  } else {
    std::vector<std::string> command = {
        options_.waterflowd.string(), "--data-dir={data}",
        "--listen=127.0.0.1:0",       "--port-file={port}",
        "--sync=" + options_.sync,    "--grpc-threads=" + threads};
    command.insert(command.end(), options_.server_flags.begin(),
                   options_.server_flags.end());
    target = Target::Start(command, options_.scratch);
  }
  if (!target.ok()) return target.status();
  const absl::StatusOr<v1::StatsResponse> stats = (*target)->Stats();
  if (!stats.ok()) return stats.status();
  report_.setting.server_version = stats->server_version();
  report_.setting.storage_version = stats->storage_version();
  return target;
}

// A null target is the sink, which has no runs.
absl::StatusOr<std::vector<WorkerLoad>> Suite::Encode(const Dataset& dataset,
                                                      uint32_t rows,
                                                      Target* target) {
  runs_.clear();
  std::map<std::string, uint32_t> world_size;
  for (const WorkerRows& worker : dataset) ++world_size[worker.run];
  std::vector<WorkerLoad> loads;
  for (const WorkerRows& worker : dataset) {
    std::string& run = runs_[worker.run];
    if (run.empty() && target == nullptr) run = kSinkRun;
    if (run.empty()) {
      absl::StatusOr<std::string> created = target->CreateRun(worker.run);
      if (!created.ok()) return created.status();
      run = *std::move(created);
    }
    WorkerLoad& load = loads.emplace_back();
    load.run_id = run;
    load.rank = worker.rank;
    load.world_size = world_size[worker.run];
    for (const LaneRows& lane : worker.lanes) {
      auto batches =
          EncodeLane(static_cast<uint32_t>(load.schemas.size()), lane, rows);
      load.schemas.push_back(lane.metrics);
      std::move(batches.begin(), batches.end(),
                std::back_inserter(load.batches));
    }
    // As they were logged, whatever the lane.
    std::stable_sort(load.batches.begin(), load.batches.end(),
                     [](const EncodedBatch& a, const EncodedBatch& b) {
                       return a.times_ns.front() < b.times_ns.front();
                     });
    const uint32_t steps = options_.w1.steps;
    load.round = {
        .row = steps, .step = steps, .time_ns = steps * options_.w1.step_ns};
  }
  return loads;
}

absl::Status Suite::Load(Target& target, const std::vector<WorkerLoad>& workers,
                         LoadShape shape, absl::Duration window,
                         LoadFigures* figures) {
  std::cerr << figures->load << ", " << figures->subject << " (pid "
            << target.pid() << ") ..." << std::endl;
  LoadOptions options;
  options.address = target.address();
  options.shape = shape;
  options.connections = options_.connections == 0
                            ? static_cast<uint32_t>(workers.size())
                            : options_.connections;
  options.threads = options_.client_threads;
  if (options_.max_in_flight_bytes > 0 && shape == LoadShape::kFlood) {
    options.max_in_flight_bytes = options_.max_in_flight_bytes;
  }
  options.warmup = std::min(absl::Seconds(3), window);
  options.window = window;
  options.server_cpu = [&target]() -> absl::StatusOr<double> {
    const absl::StatusOr<ProcessUsage> usage = target.Usage();
    if (!usage.ok()) return usage.status();
    return usage->cpu_seconds;
  };
  const absl::StatusOr<LoadResult> result = RunLoad(options, workers);
  if (!result.ok()) return result.status();
  if (result->counts.samples == 0) {
    return absl::UnavailableError(
        absl::StrCat(figures->load, ", ", figures->subject,
                     ": nothing was acked in the window"));
  }
  figures->result.Add(*result);
  const absl::StatusOr<ProcessUsage> usage = target.Usage();
  if (!usage.ok()) return usage.status();
  figures->peak_resident_bytes =
      std::max(figures->peak_resident_bytes, usage->peak_resident_bytes);
  return absl::OkStatus();
}

absl::Status Suite::Weigh(Target& target, LoadFigures* figures) {
  // Of a server with a history nobody can say what is ours.
  if (!target.own()) return absl::OkStatus();
  const absl::Status flushed = target.Flush();
  if (!flushed.ok()) return flushed;
  const absl::StatusOr<v1::StatsResponse> stats = target.Stats();
  if (!stats.ok()) return stats.status();
  figures->disk_bytes_per_sample =
      static_cast<double>(DiskBytes(*stats)) /
      static_cast<double>(figures->result.total_samples);
  return absl::OkStatus();
}

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
    auto target = StartSubject(subject);
    if (!target.ok()) return target.status();
    auto workers = Encode(w1_, part.rows, is_sink ? nullptr : target->get());
    if (!workers.ok()) return workers.status();
    LoadFigures* const figures = is_sink ? &sink : &server;
    const absl::Duration window =
        options_.seconds * part.share * (is_sink ? 0.25 : 1);
    absl::Status status = Load(**target, *workers, part.shape, window, figures);
    if (status.ok() && !is_sink) status = Weigh(**target, figures);
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
  auto target = StartSubject(kServer);
  if (!target.ok()) return target.status();
  auto workers = Encode(w1_, kBulkRows, target->get());
  if (!workers.ok()) return workers.status();
  LoadFigures figures{.load = "W1 once", .subject = kServer};
  absl::Status status =
      Load(**target, *workers, LoadShape::kOnce, kOnceTimeout, &figures);
  if (status.ok()) status = Weigh(**target, &figures);
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
  auto target = StartSubject(kServer);
  if (!target.ok()) return target.status();
  auto workers = Encode(*trace, kBulkRows, target->get());
  if (!workers.ok()) return workers.status();
  LoadFigures figures{.load = "trace once", .subject = kServer};
  absl::Status status =
      Load(**target, *workers, LoadShape::kOnce, kOnceTimeout, &figures);
  if (status.ok()) status = Weigh(**target, &figures);
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
    request.add_run_ids(runs_["lm_base"]);
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
  auto target = StartSubject(kServer);
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
