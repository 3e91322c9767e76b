#include "client/cli/trace_import.h"

#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <queue>
#include <thread>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/cli/trace_metrics.h"
#include "client/cpp/run_writer.h"

namespace waterflow::cli {
namespace {

using client::RunWriter;
using client::SchemaHandle;

// Rows handed to the writer between two looks at what was acked.
constexpr size_t kRowsAtOnce = 1024;

// Without progress for so long, a program at a prompt gives up where a training
// job would wait on.
constexpr absl::Duration kPatience = absl::Seconds(30);

// The same for every import of the same worker of the same run.
std::string StreamIdOf(const std::string& run_id, uint32_t rank) {
  const std::string name = absl::StrCat("trace stream/", run_id, "/", rank);
  XXH128_canonical_t id;
  XXH128_canonicalFromHash(&id, XXH3_128bits(name.data(), name.size()));
  return std::string(reinterpret_cast<const char*>(id.digest),
                     sizeof(id.digest));
}

// One worker's stream, from its first row to the last ack.
class StreamReplay {
 public:
  StreamReplay(const Trace& trace, const RunPlan& run, const StreamPlan& stream,
               const ImportOptions& options, ProgressCounts* progress)
      : trace_(trace),
        run_(run),
        stream_(stream),
        options_(options),
        progress_(progress) {}

  // Returns how many rows were there already.
  absl::StatusOr<uint64_t> Replay(std::shared_ptr<grpc::Channel> channel,
                                  const std::string& run_id,
                                  std::chrono::steady_clock::time_point began) {
    client::RunWriterOptions options;
    options.stream_id = StreamIdOf(run_id, stream_.rank);
    options.world_size = static_cast<uint32_t>(run_.streams.size());
    options.append_patience = kPatience;
    options.buffer.capacity_bytes = 8 << 20;
    auto writer = RunWriter::Open(std::move(channel), run_id,
                                  {"", stream_.rank}, options);
    if (!writer.ok()) return writer.status();
    writer_ = *std::move(writer);
    for (const LanePlan& lane : stream_.lanes) {
      std::vector<v1::Metric> metrics;
      for (const TraceSeries* series : lane.series) {
        metrics.push_back(DescribeMetric(*series));
      }
      auto schema = writer_->DeclareSchema(std::move(metrics));
      if (!schema.ok()) return schema.status();
      schemas_.push_back(*schema);
    }
    if (absl::Status status =
            options_.speed > 0 ? AppendInTime(began) : AppendAtOnce();
        !status.ok()) {
      return status;
    }
    return Finish();
  }

 private:
  // Lane after lane.
  absl::Status AppendAtOnce() {
    for (size_t i = 0; i < stream_.lanes.size(); ++i) {
      const LanePlan& lane = stream_.lanes[i];
      for (size_t from = 0; from < lane.rows(); from += kRowsAtOnce) {
        client::Columns columns;
        const TraceSeries& first = *lane.series.front();
        columns.steps = trace_.steps_of(first).subspan(from, kRowsAtOnce);
        columns.times_ns = trace_.times_of(first).subspan(from, kRowsAtOnce);
        for (const TraceSeries* series : lane.series) {
          columns.values.push_back(
              trace_.values_of(*series).subspan(from, kRowsAtOnce));
        }
        absl::Status status = writer_->AppendColumns(schemas_[i], columns);
        if (!status.ok()) return status;
        Report();
      }
    }
    return absl::OkStatus();
  }

  // The lanes' rows woven together by their times, each when it is due.
  absl::Status AppendInTime(std::chrono::steady_clock::time_point began) {
    // Time, lane, row: the lane with the earliest next row is on top.
    using Next = std::tuple<int64_t, size_t, size_t>;
    std::priority_queue<Next, std::vector<Next>, std::greater<>> next;
    for (size_t i = 0; i < stream_.lanes.size(); ++i) {
      next.emplace(trace_.times_of(*stream_.lanes[i].series.front())[0], i, 0);
    }
    while (!next.empty()) {
      const auto [time_ns, lane_at, row] = next.top();
      next.pop();
      const std::chrono::duration<double, std::nano> after(
          static_cast<double>(time_ns - run_.start_ns) / options_.speed);
      const auto due =
          began +
          std::chrono::duration_cast<std::chrono::steady_clock::duration>(
              after);
      if (due > std::chrono::steady_clock::now()) {
        Report();
        std::this_thread::sleep_until(due);
      }
      const LanePlan& lane = stream_.lanes[lane_at];
      std::vector<double> values;
      for (const TraceSeries* series : lane.series) {
        values.push_back(trace_.values_of(*series)[row]);
      }
      const TraceSeries& first = *lane.series.front();
      absl::Status status = writer_->Append(
          schemas_[lane_at], trace_.steps_of(first)[row], time_ns, values);
      if (!status.ok()) return status;
      if (row + 1 < lane.rows()) {
        next.emplace(trace_.times_of(first)[row + 1], lane_at, row + 1);
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> Finish() {
    absl::Status status;
    do {
      status = writer_->Flush(absl::Milliseconds(100));
      Report();
      if (status.code() == absl::StatusCode::kDeadlineExceeded &&
          Unreachable()) {
        return absl::UnavailableError(absl::StrCat(
            "no row was acked for ", absl::FormatDuration(kPatience)));
      }
    } while (status.code() == absl::StatusCode::kDeadlineExceeded);
    if (!status.ok()) return status;
    if (const auto rejections = writer_->rejections(); !rejections.empty()) {
      return rejections[0].status;
    }
    const uint64_t already_there = writer_->stats().rows_already_there;
    status = writer_->Close(absl::Seconds(10));
    if (!status.ok()) return status;
    return already_there;
  }

  // Nothing was acked for kPatience.
  bool Unreachable() {
    const absl::Time now = absl::Now();
    if (reported_acked_ != seen_acked_ || seen_since_ == absl::InfinitePast()) {
      seen_acked_ = reported_acked_;
      seen_since_ = now;
    }
    return now - seen_since_ > kPatience;
  }

  void Report() {
    const client::WriterStats stats = writer_->stats();
    progress_->rows_appended += stats.rows_appended - reported_appended_;
    progress_->rows_acked += stats.rows_acked - reported_acked_;
    progress_->values_acked += stats.values_acked - reported_values_;
    reported_appended_ = stats.rows_appended;
    reported_acked_ = stats.rows_acked;
    reported_values_ = stats.values_acked;
  }

  const Trace& trace_;
  const RunPlan& run_;
  const StreamPlan& stream_;
  const ImportOptions& options_;
  ProgressCounts* const progress_;
  std::unique_ptr<RunWriter> writer_;
  std::vector<SchemaHandle> schemas_;
  uint64_t reported_appended_ = 0;
  uint64_t reported_acked_ = 0;
  uint64_t reported_values_ = 0;
  uint64_t seen_acked_ = 0;
  absl::Time seen_since_ = absl::InfinitePast();
};

absl::StatusOr<std::vector<ImportedRun>> CreateRuns(
    Api& api, const std::vector<RunPlan>& plans) {
  std::vector<ImportedRun> runs;
  for (const RunPlan& plan : plans) {
    auto created =
        Call(*api.tracking, &v1::Tracking::Stub::CreateRun, plan.create);
    if (!created.ok()) return created.status();
    runs.push_back({created->run().id(), plan.rows, 0});
  }
  return runs;
}

absl::Status FinishRuns(Api& api, const std::vector<RunPlan>& plans,
                        const std::vector<ImportedRun>& runs) {
  for (size_t i = 0; i < plans.size(); ++i) {
    v1::UpdateRunRequest request;
    request.set_run_id(runs[i].id);
    request.set_status(v1::RUN_STATUS_FINISHED);
    if (plans[i].rows > 0) request.set_end_ns(plans[i].end_ns);
    auto updated = Call(*api.tracking, &v1::Tracking::Stub::UpdateRun, request);
    if (!updated.ok()) return updated.status();
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<ImportedRun>> ImportTrace(
    Api& api, const Trace& trace, const std::vector<RunPlan>& plans,
    const ImportOptions& options, ProgressCounts* progress) {
  auto runs = CreateRuns(api, plans);
  if (!runs.ok()) return runs.status();

  struct Job {
    size_t run;
    const StreamPlan* stream;
  };
  std::vector<Job> jobs;
  for (size_t i = 0; i < plans.size(); ++i) {
    for (const StreamPlan& stream : plans[i].streams) {
      jobs.push_back({i, &stream});
    }
  }
  std::atomic<size_t> next_job = 0;
  std::mutex mu;
  absl::Status failure;  // the first; guarded by mu, as are the runs' counts
  const auto began = std::chrono::steady_clock::now();
  const auto work = [&] {
    for (size_t at = next_job++; at < jobs.size(); at = next_job++) {
      const RunPlan& plan = plans[jobs[at].run];
      StreamReplay replay(trace, plan, *jobs[at].stream, options, progress);
      auto already_there =
          replay.Replay(api.channel, (*runs)[jobs[at].run].id, began);
      std::lock_guard<std::mutex> lock(mu);
      if (already_there.ok()) {
        (*runs)[jobs[at].run].rows_already_there += *already_there;
      } else if (failure.ok()) {
        failure = absl::Status(
            already_there.status().code(),
            absl::StrCat("run ", plan.name, " worker ", jobs[at].stream->rank,
                         ": ", already_there.status().message()));
        next_job = jobs.size();
      }
    }
  };
  std::vector<std::thread> threads;
  for (size_t i = 0; i < std::min(options.streams, jobs.size()); ++i) {
    threads.emplace_back(work);
  }
  for (std::thread& thread : threads) thread.join();
  if (!failure.ok()) return failure;
  if (absl::Status status = FinishRuns(api, plans, *runs); !status.ok()) {
    return status;
  }
  return runs;
}

}  // namespace waterflow::cli
