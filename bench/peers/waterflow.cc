// Waterflow itself, and what its front costs with something simpler than the
// engine behind it: all of them speak Ingest.Stream.
#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/load.h"
#include "bench/peers/peer.h"
#include "bench/target.h"
#include "bench/worker_load.h"

namespace waterflow::bench {
namespace {

// Of those that have no runs.
constexpr char kAnyRun[] = "00000000000000000000000000000000";
// Of a load that ends by itself: longer means that something hangs.
constexpr absl::Duration kOnceTimeout = absl::Minutes(5);
// So that a second load resumes the streams of the first.
constexpr uint64_t kStreamIds = 1;

// Each metric becomes a lane of its own: a message holds one sample.
Dataset OneMetricLanes(const Dataset& dataset) {
  Dataset split;
  for (const WorkerRows& worker : dataset) {
    WorkerRows& to = split.emplace_back();
    to.run = worker.run;
    to.rank = worker.rank;
    for (const LaneRows& lane : worker.lanes) {
      for (size_t m = 0; m < lane.metrics.size(); ++m) {
        to.lanes.push_back({.metrics = {lane.metrics[m]},
                            .steps = lane.steps,
                            .times_ns = lane.times_ns,
                            .columns = {lane.columns[m]}});
      }
    }
  }
  return split;
}

// The first rows of each: they repeat sooner.
Dataset Shortened(Dataset dataset, size_t rows) {
  for (WorkerRows& worker : dataset) {
    for (LaneRows& lane : worker.lanes) {
      const size_t keep = std::min(rows, lane.rows());
      lane.steps.resize(keep);
      lane.times_ns.resize(keep);
      for (auto& column : lane.columns) column.resize(keep);
    }
  }
  return dataset;
}

class WaterflowPeer final : public Peer {
 public:
  WaterflowPeer(std::string name, const PeerOptions& options)
      : name_(std::move(name)), options_(options) {}

  std::string version() const override { return version_; }
  absl::StatusOr<Measures> Run(const Shape& shape, const Dataset& workload,
                               absl::Duration window) override;

 private:
  bool is_server() const { return name_ == kWaterflow; }

  absl::StatusOr<std::unique_ptr<Target>> Start(const Shape& shape);
  absl::StatusOr<std::vector<WorkerLoad>> Encode(const Dataset& dataset,
                                                 uint32_t rows, Target* target);
  LoadOptions ForShape(const Shape& shape, absl::Duration window,
                       Target* target) const;
  // What stays when the load is over: memory first, then the disk.
  absl::Status Weigh(const Shape& shape, const LoadResult& result,
                     const ProcessUsage& before, Target* target,
                     Measures* measures);

  const std::string name_;
  const PeerOptions& options_;
  std::string version_;
};

absl::StatusOr<std::unique_ptr<Target>> WaterflowPeer::Start(
    const Shape& shape) {
  const std::string threads = absl::StrCat(shape.server_threads);
  if (!is_server()) {
    return Target::Start(
        {options_.self.string(), "sink", "--store", name_, "--data-dir",
         "{data}", "--threads", threads, "--port-file", "{port}"},
        options_.scratch);
  }
  const std::vector<std::string> command =
      WaterflowdCommand(options_.waterflowd, options_.sync,
                        shape.server_threads, options_.server_flags);
  auto target = Target::Start(command, options_.scratch);
  if (!target.ok()) return target;
  const absl::StatusOr<v1::StatsResponse> stats = (*target)->Stats();
  if (!stats.ok()) return stats.status();
  version_ =
      absl::StrCat(stats->server_version(), ", ", stats->storage_version());
  return target;
}

absl::StatusOr<std::vector<WorkerLoad>> WaterflowPeer::Encode(
    const Dataset& dataset, uint32_t rows, Target* target) {
  std::map<std::string, std::string> runs;
  for (const WorkerRows& worker : dataset) {
    if (runs.contains(worker.run)) continue;
    absl::StatusOr<std::string> run = kAnyRun;
    if (is_server()) run = target->CreateRun(worker.run);
    if (!run.ok()) return run.status();
    runs[worker.run] = *std::move(run);
  }
  return EncodeWorkers(dataset, rows, runs);
}

LoadOptions WaterflowPeer::ForShape(const Shape& shape, absl::Duration window,
                                    Target* target) const {
  LoadOptions load;
  load.address = target->address();
  load.connections = shape.connections == 0 ? shape.workers : shape.connections;
  load.threads = options_.client_threads;
  load.window = window;
  load.warmup = std::min(absl::Seconds(3), window);
  load.period = shape.period;
  load.spread = shape.spread;
  load.max_in_flight_bytes = shape.in_flight_bytes;
  load.counters = [this, target]() -> absl::StatusOr<OsCounters> {
    OsCounters counters = ReadMachine(options_.scratch);
    const absl::StatusOr<ProcessUsage> usage = target->Usage();
    if (!usage.ok()) return usage.status();
    counters.server_cpu_seconds = usage->cpu_seconds;
    return counters;
  };
  switch (shape.kind) {
    case ShapeKind::kFlood:
      load.shape = LoadShape::kFlood;
      break;
    case ShapeKind::kIdle:
      load.period = absl::Hours(10);
      [[fallthrough]];
    case ShapeKind::kLive:
      load.shape = LoadShape::kLive;
      break;
    case ShapeKind::kOnce:
    case ShapeKind::kTrace:
    case ShapeKind::kResume:
      load.shape = LoadShape::kOnce;
      load.window = kOnceTimeout;
  }
  if (is_server() && shape.seals > 0) {
    load.enough = [target, seals = shape.seals] {
      const absl::StatusOr<v1::StatsResponse> stats = target->Stats();
      return !stats.ok() || stats->seals() >= seals;
    };
  }
  return load;
}

absl::Status WaterflowPeer::Weigh(const Shape& shape, const LoadResult& result,
                                  const ProcessUsage& before, Target* target,
                                  Measures* measures) {
  const absl::StatusOr<ProcessUsage> usage = target->Usage();
  if (!usage.ok()) return usage.status();
  (*measures)["peak_rss_mb"] =
      static_cast<double>(usage->peak_resident_bytes) * 1e-6;
  if (shape.weigh_memory) {
    (*measures)["rss_bytes_per_series"] =
        (static_cast<double>(usage->resident_bytes) -
         static_cast<double>(before.resident_bytes)) /
        (static_cast<double>(shape.workers) * shape.metrics);
  }
  if (result.total_samples == 0) return absl::OkStatus();
  const auto total = static_cast<double>(result.total_samples);
  if (name_ == kNaivePeer) {
    const absl::Status stopped = target->Stop();
    if (!stopped.ok()) return stopped;
    (*measures)["disk_bytes_per_sample"] =
        static_cast<double>(FolderBytes(target->data())) / total;
  }
  if (!is_server()) return absl::OkStatus();
  const absl::StatusOr<v1::StatsResponse> busy = target->Stats();
  if (!busy.ok()) return busy.status();
  (*measures)["seals"] = static_cast<double>(busy->seals());
  const absl::Status flushed = target->Flush();
  if (!flushed.ok()) return flushed;
  const absl::StatusOr<v1::StatsResponse> stats = target->Stats();
  if (!stats.ok()) return stats.status();
  (*measures)["disk_bytes_per_sample"] =
      static_cast<double>(DiskBytes(*stats)) / total;
  (*measures)["seal_ns_per_sample"] =
      static_cast<double>(stats->seal_cpu_ns()) / total;
  return absl::OkStatus();
}

absl::StatusOr<Measures> WaterflowPeer::Run(const Shape& shape,
                                            const Dataset& workload,
                                            absl::Duration window) {
  // It keeps no state that would have to become steady.
  if (name_ == kSinkPeer) {
    window = std::max(window / 3, std::min(window, 3 * shape.period));
  }
  auto target = Start(shape);
  if (!target.ok()) return target.status();
  constexpr size_t kNaiveRows = 25;  // or its messages would fill the memory
  auto workers = name_ == kNaivePeer
                     ? Encode(Shortened(OneMetricLanes(workload), kNaiveRows),
                              shape.rows, target->get())
                     : Encode(workload, shape.rows, target->get());
  if (!workers.ok()) return workers.status();
  const absl::StatusOr<ProcessUsage> before = (*target)->Usage();
  if (!before.ok()) return before.status();

  LoadOptions load = ForShape(shape, window, target->get());
  if (shape.kind == ShapeKind::kResume) {
    load.stream_ids = kStreamIds;
    const absl::StatusOr<LoadResult> first = RunLoad(load, *workers);
    if (!first.ok()) return first.status();
    const absl::Status restarted = (*target)->Restart();
    if (!restarted.ok()) return restarted;
    load.address = (*target)->address();
  }
  Measures idle;
  if (shape.kind == ShapeKind::kIdle) {
    const auto base = static_cast<double>(before->resident_bytes);
    load.enough = [&idle, &target, &shape, base] {
      const absl::StatusOr<ProcessUsage> usage = (*target)->Usage();
      if (!usage.ok()) return true;
      idle["rss_bytes_per_stream"] =
          (static_cast<double>(usage->resident_bytes) - base) / shape.workers;
      return true;
    };
  }
  const absl::StatusOr<LoadResult> result = RunLoad(load, *workers);
  if (!result.ok()) return result.status();
  if (shape.kind == ShapeKind::kIdle) {
    idle["server_cores"] = result->spent.server_cpu_seconds / result->seconds;
    const absl::Status stopped = (*target)->Stop();
    if (!stopped.ok()) return stopped;
    return idle;
  }
  if (result->counts.samples == 0) {
    return absl::UnavailableError("nothing was acked in the window");
  }
  Measures measures = FromLoad(*result);
  if (shape.kind == ShapeKind::kResume) {
    measures["open_p50_ms"] =
        static_cast<double>(result->open_ns.Percentile(0.5)) * 1e-6;
    measures["open_p99_ms"] =
        static_cast<double>(result->open_ns.Percentile(0.99)) * 1e-6;
  }
  absl::Status status =
      Weigh(shape, *result, *before, target->get(), &measures);
  if (status.ok()) status = (*target)->Stop();
  if (!status.ok()) return status;
  return measures;
}

}  // namespace

std::unique_ptr<Peer> MakeWaterflow(const std::string& name,
                                    const PeerOptions& options) {
  return std::make_unique<WaterflowPeer>(name, options);
}

}  // namespace waterflow::bench
