#include "bench/load_loop.h"

#include <time.h>

#include <algorithm>
#include <utility>

namespace waterflow::bench {
namespace {

// How late a loop may notice that the phase changed.
constexpr int64_t kPollNs = 20'000'000;
// gRPC waits in whole milliseconds, rounded up, and a batch that is sent late
// has its ack late. So the last of them is slept in steps of this, between
// which completions are looked for.
constexpr int64_t kTickNs = 100'000;
constexpr int64_t kQueueTickNs = 1'000'000;

}  // namespace

void LoadLoop::AddStream(const std::vector<WorkerLoad>& workers, size_t worker,
                         std::shared_ptr<grpc::Channel> channel) {
  streams_.push_back(std::make_unique<LoadStream>(
      workers, worker, options_.shape != LoadShape::kOnce,
      options_.shape == LoadShape::kLive ? LoadStream::Pace::kOnDemand
                                         : LoadStream::Pace::kFlood,
      options_.max_in_flight_bytes, options_.stream_ids, std::move(channel),
      &queue_, &counts_));
}

void LoadLoop::AddOpenTimes(Histogram* open_ns) const {
  for (const auto& stream : streams_) {
    if (stream->open_ns() > 0) open_ns->Add(stream->open_ns());
  }
}

absl::Status LoadLoop::status() const {
  for (const auto& stream : streams_) {
    if (!stream->status().ok()) return stream->status();
  }
  return absl::OkStatus();
}

void LoadLoop::EnterPhase(Phase phase) {
  const Phase before = std::exchange(phase_, phase);
  if (before == Phase::kOpen && options_.shape == LoadShape::kLive) {
    ScheduleLive();
  }
  if (phase == Phase::kMeasure && options_.shape != LoadShape::kOnce) {
    total_samples_ += counts_.samples;
    counts_ = LoadCounts();
  }
  if (before == Phase::kMeasure) {
    total_samples_ += counts_.samples;
    window_ = std::exchange(counts_, LoadCounts());
  }
  if (phase == Phase::kAfter || phase == Phase::kCancel) {
    draining_ = true;
    for (auto& stream : streams_) {
      if (stream->finished()) continue;
      phase == Phase::kAfter ? stream->Drain() : stream->Cancel();
    }
  }
}

// Spreads the streams over their part of the period.
void LoadLoop::ScheduleLive() {
  const int64_t now = MonotonicNs();
  const auto part = static_cast<int64_t>(
      options_.spread *
      static_cast<double>(absl::ToInt64Nanoseconds(options_.period)));
  for (size_t i = 0; i < streams_.size(); ++i) {
    const int64_t at = now + part * static_cast<int64_t>(i) /
                                 static_cast<int64_t>(streams_.size());
    due_.push({at, at, streams_[i].get()});
  }
}

// Each stream's batches are a period apart, give or take a tenth of it; not so
// those that a barrier holds together.
void LoadLoop::FireDue(int64_t now) {
  const int64_t period = absl::ToInt64Nanoseconds(options_.period);
  while (!draining_ && !due_.empty() && due_.top().at_ns <= now) {
    NextDue next = due_.top();
    due_.pop();
    if (!next.stream->finished()) {
      counts_.late_ns.Add(static_cast<uint64_t>(MonotonicNs() - next.at_ns));
      next.stream->Due(next.at_ns);
    }
    jitter_ ^= jitter_ << 13;  // xorshift64
    jitter_ ^= jitter_ >> 7;
    jitter_ ^= jitter_ << 17;
    next.period_start_ns += period;
    next.at_ns = next.period_start_ns;
    if (options_.spread > 0) {
      const auto range =
          static_cast<uint64_t>(std::max<int64_t>(period / 5, 1));
      next.at_ns += static_cast<int64_t>(jitter_ % range) - period / 10;
    }
    due_.push(next);
  }
}

void LoadLoop::WaitForEvents(int64_t now) {
  int64_t wait = kPollNs;
  if (!draining_ && !due_.empty()) {
    const int64_t left = due_.top().at_ns - now;
    wait = std::clamp<int64_t>(left - 2 * kQueueTickNs, 0, wait);
    if (wait == 0 && left > 0) {
      const timespec tick = {0, std::min(left, kTickNs)};
      nanosleep(&tick, nullptr);
    }
  }
  const gpr_timespec deadline = gpr_time_add(
      gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(wait, GPR_TIMESPAN));
  void* raw = nullptr;
  bool ok = false;
  while (queue_.AsyncNext(&raw, &ok, deadline) ==
         grpc::CompletionQueue::GOT_EVENT) {
    const auto* tag = static_cast<LoadStream::Tag*>(raw);
    const bool was_ready = tag->stream->ready();
    tag->stream->Proceed(tag->step, ok);
    if (!was_ready && tag->stream->ready()) baton_.ready_streams.fetch_add(1);
    if (tag->stream->finished()) ++finished_;
    if (baton_.phase.load(std::memory_order_relaxed) != phase_) return;
    if (!due_.empty() && due_.top().at_ns <= MonotonicNs()) return;
  }
}

void LoadLoop::Run() {
  for (const auto& stream : streams_) stream->Start();
  while (finished_ < streams_.size()) {
    const Phase phase = baton_.phase.load();
    if (phase != phase_) EnterPhase(phase);
    if (options_.shape == LoadShape::kOnce && !draining_ &&
        std::all_of(streams_.begin(), streams_.end(),
                    [](const auto& s) { return s->all_acked(); })) {
      draining_ = true;
      for (auto& stream : streams_) stream->Drain();
    }
    const int64_t now = MonotonicNs();
    FireDue(now);
    WaitForEvents(now);
  }
  if (options_.shape == LoadShape::kOnce) window_ = counts_;
  total_samples_ += counts_.samples;
  baton_.finished_loops.fetch_add(1);
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

}  // namespace waterflow::bench
