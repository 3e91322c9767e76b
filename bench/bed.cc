#include "bench/bed.h"

#include <algorithm>
#include <iostream>
#include <utility>

#include "absl/strings/str_cat.h"

namespace waterflow::bench {
namespace {

// Longer means that something hangs.
constexpr absl::Duration kTimeout = absl::Minutes(5);

}  // namespace

absl::StatusOr<std::unique_ptr<Target>> Bed::Start() {
  absl::StatusOr<std::unique_ptr<Target>> target;
  if (!options_.server_address.empty()) {
    target = Target::Attach(options_.server_address, options_.server_pid);
  } else {
    const std::vector<std::string> command =
        WaterflowdCommand(options_.waterflowd, options_.sync,
                          options_.server_threads, options_.server_flags);
    target = Target::Start(command, options_.scratch);
  }
  if (!target.ok()) return target.status();
  const absl::StatusOr<v1::StatsResponse> stats = (*target)->Stats();
  if (!stats.ok()) return stats.status();
  setting_.server_version = stats->server_version();
  setting_.storage_version = stats->storage_version();
  return target;
}

absl::StatusOr<std::vector<WorkerLoad>> Bed::Encode(const Dataset& dataset,
                                                    uint32_t rows,
                                                    Target& target) {
  runs_.clear();
  for (const WorkerRows& worker : dataset) {
    if (runs_.contains(worker.run)) continue;
    absl::StatusOr<std::string> run = target.CreateRun(worker.run);
    if (!run.ok()) return run.status();
    runs_[worker.run] = *std::move(run);
  }
  return EncodeWorkers(dataset, rows, runs_);
}

absl::Status Bed::Load(Target& target, const std::vector<WorkerLoad>& workers,
                       LoadFigures* figures) {
  std::cerr << figures->load << " (pid " << target.pid() << ") ..."
            << std::endl;
  LoadOptions options;
  options.address = target.address();
  options.shape = LoadShape::kOnce;
  options.connections = options_.connections == 0
                            ? static_cast<uint32_t>(workers.size())
                            : options_.connections;
  options.threads = options_.client_threads;
  options.window = kTimeout;
  options.counters = [&target]() -> absl::StatusOr<OsCounters> {
    const absl::StatusOr<ProcessUsage> usage = target.Usage();
    if (!usage.ok()) return usage.status();
    return OsCounters{.server_cpu_seconds = usage->cpu_seconds};
  };
  const absl::StatusOr<LoadResult> result = RunLoad(options, workers);
  if (!result.ok()) return result.status();
  if (result->counts.samples == 0) {
    return absl::UnavailableError(
        absl::StrCat(figures->load, ": nothing was acked"));
  }
  figures->result.Add(*result);
  const absl::StatusOr<ProcessUsage> usage = target.Usage();
  if (!usage.ok()) return usage.status();
  figures->peak_resident_bytes =
      std::max(figures->peak_resident_bytes, usage->peak_resident_bytes);
  return absl::OkStatus();
}

absl::Status Bed::Weigh(Target& target, LoadFigures* figures) {
  // Of a server with a history nobody can say what is ours.
  if (!target.own()) return absl::OkStatus();
  const absl::Status flushed = target.Flush();
  if (!flushed.ok()) return flushed;
  const absl::StatusOr<v1::StatsResponse> stats = target.Stats();
  if (!stats.ok()) return stats.status();
  figures->disk_bytes_per_sample =
      static_cast<double>(DiskBytes(*stats)) /
      static_cast<double>(figures->result.total_samples);
  figures->seal_ns_per_sample =
      static_cast<double>(stats->seal_cpu_ns()) /
      static_cast<double>(figures->result.total_samples);
  return absl::OkStatus();
}

}  // namespace waterflow::bench
