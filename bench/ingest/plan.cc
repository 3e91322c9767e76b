#include "bench/ingest/plan.h"

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "bench/ingest/disk_probe.h"
#include "bench/ingest/goals.h"
#include "bench/ingest/shape.h"
#include "bench/report.h"
#include "bench/stop.h"
#include "bench/trace.h"
#include "bench/w1.h"

namespace waterflow::bench {
namespace {

// Prometheus takes nothing that lies ten minutes ahead of its clock, and a
// flood logs hours of steps in a minute.
constexpr absl::Duration kStartBefore = absl::Hours(12);
constexpr absl::Duration kProbe = absl::Seconds(5);

bool Wanted(const std::vector<std::string>& chosen, const std::string& name) {
  return chosen.empty() ||
         std::find(chosen.begin(), chosen.end(), name) != chosen.end();
}

class Plan {
 public:
  Plan(const IngestOptions& options, Results* results)
      : options_(options),
        results_(*results),
        start_ns_(absl::ToUnixNanos(absl::Now() - kStartBefore)) {}

  void Begin();
  absl::Status RunRound(int round);
  // What follows from the runs so far.
  void Conclude();

 private:
  absl::Status ProbeTheDisk();
  absl::Status RunCell(const Shape& shape, const std::string& subject);
  absl::StatusOr<const Dataset*> Workload(const Shape& shape);
  void Skip(const std::string& what, const absl::Status& why);

  const IngestOptions& options_;
  Results& results_;
  const int64_t start_ns_;
  std::map<std::string, std::unique_ptr<Peer>> peers_;
  std::set<std::string> skipped_;
  // The last one made: those of the large shapes would not fit side by side.
  std::string workload_key_;
  Dataset workload_;
};

void Plan::Skip(const std::string& what, const absl::Status& why) {
  if (!skipped_.insert(what).second) return;
  std::cerr << "skipped " << what << ": " << why.message() << std::endl;
  results_.skipped.push_back({what, std::string(why.message())});
}

void Plan::Begin() {
  const Setting here = Here();
  results_.date = here.date;
  results_.machine = absl::StrFormat("%d x %s", here.cores, here.cpu_model);
  results_.workload = absl::StrFormat(
      "W1 (256 workers x 100 metrics, seed %d) without end, windows of %s and "
      "of 8 seals at least, median of %d interleaved runs",
      options_.seed, absl::FormatDuration(options_.window), options_.repeat);
  for (const std::string& subject : Subjects()) {
    if (!Wanted(options_.subjects, subject)) continue;
    std::unique_ptr<Peer> peer = MakePeer(subject, options_.peer);
    if (const absl::Status there = peer->Installed(); !there.ok()) {
      Skip(subject, there);
    } else {
      peers_[subject] = std::move(peer);
    }
  }
}

absl::StatusOr<const Dataset*> Plan::Workload(const Shape& shape) {
  const bool trace = shape.kind == ShapeKind::kTrace;
  const std::string key =
      trace ? "trace"
            : absl::StrCat(shape.workers, " ", shape.metrics, " ", shape.steps);
  if (key == workload_key_) return &workload_;
  workload_.clear();
  workload_key_ = key;
  if (trace) {
    absl::StatusOr<Dataset> read = ReadTrace(options_.trace);
    if (!read.ok()) return read.status();
    workload_ = *std::move(read);
  } else {
    workload_ = MakeW1({.workers = shape.workers,
                        .metrics = shape.metrics,
                        .steps = shape.steps,
                        .seed = options_.seed,
                        .start_ns = start_ns_});
  }
  return &workload_;
}

absl::Status Plan::RunCell(const Shape& shape, const std::string& subject) {
  const absl::StatusOr<const Dataset*> workload = Workload(shape);
  if (!workload.ok()) return workload.status();
  std::cerr << "  " << shape.name << ", " << subject << " ..." << std::flush;
  Peer& peer = *peers_[subject];
  const absl::StatusOr<Measures> run =
      peer.Run(shape, **workload,
               std::max(options_.window * shape.share, 3 * shape.period));
  if (!run.ok()) {
    std::cerr << std::endl;
    return run.status();
  }
  for (const char* key : {"samples_per_s", "server_ns_per_sample"}) {
    const auto found = run->find(key);
    if (found == run->end()) continue;
    std::cerr << absl::StrFormat(" %.4g %s", found->second,
                                 FindMeasure(key)->unit);
  }
  std::cerr << std::endl;
  results_.CellOf(shape.key, shape.name, subject).runs.push_back(*run);
  return absl::OkStatus();
}

absl::Status Plan::ProbeTheDisk() {
  const absl::StatusOr<Measures> probe =
      ProbeDisk(options_.peer.scratch, std::min(kProbe, options_.window));
  if (!probe.ok()) return probe.status();
  results_.CellOf(kDiskShape, kDiskName, kDiskSubject).runs.push_back(*probe);
  return absl::OkStatus();
}

absl::Status Plan::RunRound(int round) {
  std::cerr << absl::StrFormat("run %d of %d", round + 1, options_.repeat)
            << std::endl;
  if (const absl::Status probed = ProbeTheDisk(); !probed.ok()) return probed;
  for (const Shape& shape : Shapes()) {
    if (!Wanted(options_.shapes, shape.key)) continue;
    // Each time another one begins.
    std::vector<std::string> subjects = shape.subjects;
    std::rotate(subjects.begin(), subjects.begin() + round % subjects.size(),
                subjects.end());
    for (const std::string& subject : subjects) {
      if (!peers_.contains(subject)) continue;
      const absl::Status ran = RunCell(shape, subject);
      if (StopRequested()) return absl::CancelledError("stopped");
      if (!ran.ok()) Skip(absl::StrCat(shape.name, ", ", subject), ran);
    }
  }
  return absl::OkStatus();
}

void Plan::Conclude() {
  results_.versions.clear();
  for (const std::string& subject : Subjects()) {
    const auto peer = peers_.find(subject);
    if (peer == peers_.end() || peer->second->version().empty()) continue;
    results_.versions.push_back({subject, peer->second->version()});
  }
  // As tables list them, whoever began.
  const auto place = [](const Cell& cell) {
    size_t shape = 0;
    size_t subject = 0;
    while (shape < Shapes().size() && Shapes()[shape].key != cell.shape) {
      ++shape;
    }
    while (subject < Subjects().size() && Subjects()[subject] != cell.subject) {
      ++subject;
    }
    return std::make_tuple(cell.subject != kDiskSubject, shape, subject);
  };
  std::stable_sort(
      results_.cells.begin(), results_.cells.end(),
      [&](const Cell& a, const Cell& b) { return place(a) < place(b); });
  results_.goals = IngestGoals(results_);
}

}  // namespace

absl::Status RunIngest(const IngestOptions& options,
                       const std::function<void(const Results&)>& save,
                       Results* results) {
  Plan plan(options, results);
  plan.Begin();
  for (int round = 0; round < options.repeat; ++round) {
    const absl::Status ran = plan.RunRound(round);
    plan.Conclude();
    save(*results);
    if (!ran.ok()) return ran;
  }
  return absl::OkStatus();
}

}  // namespace waterflow::bench
