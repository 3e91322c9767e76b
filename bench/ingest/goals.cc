#include "bench/ingest/goals.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "bench/ingest/disk_probe.h"
#include "bench/ingest/shape.h"

namespace waterflow::bench {
namespace {

constexpr char kServerNs[] = "server_ns_per_sample";
constexpr char kServerUs[] = "server_us_per_message";
// The engine's default, see waterflowd --gather.
constexpr double kGatherMs = 5;

class Builder {
 public:
  explicit Builder(const Results& results) : results_(results) {}

  std::optional<double> Get(const char* shape, const char* subject,
                            const char* measure) const {
    return results_.Median(shape, subject, measure);
  }
  void AtMost(const std::string& what, std::optional<double> value,
              double limit, const std::string& unit) {
    if (value.has_value()) goals_.push_back({what, *value, limit, unit, false});
  }
  void AtLeast(const std::string& what, std::optional<double> value,
               double limit, const std::string& unit) {
    if (value.has_value()) goals_.push_back({what, *value, limit, unit, true});
  }
  // How many times `shape`'s CPU a sample another one costs elsewhere.
  std::optional<double> Times(const char* shape, const char* subject,
                              const char* of) const {
    const auto ours = Get(of, kWaterflow, kServerNs);
    const auto theirs = Get(shape, subject, kServerNs);
    if (!ours.has_value() || !theirs.has_value()) return std::nullopt;
    return *theirs / *ours;
  }
  std::optional<double> OverSink(const char* shape) const {
    const auto ours = Get(shape, kWaterflow, kServerNs);
    const auto sink = Get(shape, kSinkPeer, kServerNs);
    if (!ours.has_value() || !sink.has_value()) return std::nullopt;
    return *ours - *sink;
  }

  std::vector<Goal> Take() { return std::move(goals_); }

 private:
  const Results& results_;
  std::vector<Goal> goals_;
};

void AddPeers(Builder* b) {
  // Whichever shape suits it best.
  std::optional<double> best =
      b->Times("flood100", kVictoriaMetrics, "flood64");
  for (const char* shape : {"flood64", "flood1"}) {
    const auto times = b->Times(shape, kVictoriaMetrics, "flood64");
    if (times.has_value()) best = std::min(*times, best.value_or(*times));
  }
  b->AtLeast("64 rows: VictoriaMetrics' best shape costs", best, 15, "times");
  b->AtLeast("64 rows: VictoriaMetrics costs",
             b->Times("flood64", kVictoriaMetrics, "flood64"), 50, "times");
  b->AtLeast("1 row: VictoriaMetrics costs",
             b->Times("flood1", kVictoriaMetrics, "flood1"), 25, "times");
  b->AtLeast("1 row: Prometheus costs",
             b->Times("flood1", kPrometheus, "flood1"), 60, "times");
  b->AtLeast("1 row: MLflow, 1,000 values a call, costs",
             b->Times("flood10", kMlflow, "flood1"), 2000, "times");
}

void AddLatency(Builder* b) {
  const auto p50 = b->Get("live4", kWaterflow, "ack_p50_ms");
  const auto p99 = b->Get("live4", kWaterflow, "ack_p99_ms");
  const auto disk_p50 = b->Get(kDiskShape, kDiskSubject, "fdatasync_p50_ms");
  const auto disk_p99 = b->Get(kDiskShape, kDiskSubject, "fdatasync_p99_ms");
  if (!disk_p50.has_value() || !disk_p99.has_value()) return;
  b->AtMost("live: ack p50 (gather + the disk's fdatasync p50)", p50,
            kGatherMs + *disk_p50, "ms");
  b->AtMost("live: ack p99 (gather + 3 x the disk's fdatasync p99)", p99,
            kGatherMs + 3 * *disk_p99, "ms");
}

void AddThreads(Builder* b) {
  const auto one = b->Get("threads1", kWaterflow, "messages_per_s");
  b->AtLeast("messages a second, one polling thread", one, 15000, "/s");
  const auto two = b->Get("threads2", kWaterflow, "messages_per_s");
  if (one.has_value() && two.has_value()) {
    b->AtLeast("messages a second, two polling threads to one", *two / *one, 1,
               "times");
  }
}

}  // namespace

std::vector<Goal> IngestGoals(const Results& results) {
  Builder b(results);
  b.AtMost("flood, 64 rows: server CPU over the sink", b.OverSink("flood64"),
           20, "ns/sample");
  b.AtMost("flood, 1 row: server CPU over the sink", b.OverSink("flood1"), 35,
           "ns/sample");
  b.AtMost("live, 4 connections: server CPU",
           b.Get("live4", kWaterflow, kServerUs), 45, "us/message");
  b.AtMost("live, a connection each: server CPU",
           b.Get("live", kWaterflow, kServerUs), 70, "us/message");
  AddLatency(&b);
  b.AtLeast("flood, 64 rows: client on the same machine",
            b.Get("flood64", kWaterflow, "samples_per_s"), 30e6, "samples/s");
  b.AtLeast("flood, 1 row: client on the same machine",
            b.Get("flood1", kWaterflow, "samples_per_s"), 8e6, "samples/s");
  AddPeers(&b);
  AddThreads(&b);
  b.AtMost("10,000 idle streams: RSS",
           b.Get("idle", kWaterflow, "rss_bytes_per_stream"), 20480,
           "B/stream");
  return b.Take();
}

}  // namespace waterflow::bench
