#include "bench/query/subject.h"

#include "bench/histogram.h"
#include "bench/ingest/shape.h"
#include "bench/load_stream.h"
#include "bench/stop.h"

namespace waterflow::bench {
namespace {

constexpr int kWarmupCalls = 3;
constexpr uint64_t kLeastCalls = 5;

}  // namespace

absl::StatusOr<Measured> MeasureCalls(const Calls& calls,
                                      absl::Duration duration) {
  Measured measured;
  const absl::StatusOr<Answer> answer = calls.look();
  if (!answer.ok()) return answer.status();
  measured.answer = *answer;
  for (int i = 1; i < kWarmupCalls; ++i) {
    const absl::Status warm = calls.ask();
    if (!warm.ok()) return warm;
  }
  const absl::StatusOr<double> before = calls.cpu_seconds();
  if (!before.ok()) return before.status();
  Histogram round_trip_ns;
  const int64_t end = MonotonicNs() + absl::ToInt64Nanoseconds(duration);
  while (MonotonicNs() < end || round_trip_ns.count() < kLeastCalls) {
    const int64_t start = MonotonicNs();
    const absl::Status asked = calls.ask();
    if (!asked.ok()) return asked;
    round_trip_ns.Add(static_cast<uint64_t>(MonotonicNs() - start));
    if (StopRequested()) return absl::CancelledError("stopped");
  }
  const absl::StatusOr<double> after = calls.cpu_seconds();
  if (!after.ok()) return after.status();
  measured.calls = round_trip_ns.count();
  measured.p50_ms = static_cast<double>(round_trip_ns.Percentile(0.5)) * 1e-6;
  measured.p99_ms = static_cast<double>(round_trip_ns.Percentile(0.99)) * 1e-6;
  measured.cpu_ms =
      (*after - *before) * 1e3 / static_cast<double>(measured.calls);
  return measured;
}

std::unique_ptr<Subject> MakeSubject(const std::string& name,
                                     const PeerOptions& options) {
  if (name == kWaterflow) return MakeWaterflowSubject(options);
  if (name == kDuckDb) return MakeDuckDbSubject(options);
  return MakePromqlSubject(name, options);
}

}  // namespace waterflow::bench
