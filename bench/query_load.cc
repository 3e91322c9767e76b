#include "bench/query_load.h"

#include <grpcpp/client_context.h>

#include <chrono>
#include <memory>

#include "absl/strings/str_cat.h"
#include "bench/load_stream.h"
#include "bench/stop.h"
#include "waterflow/v1/query.grpc.pb.h"

namespace waterflow::bench {
namespace {

constexpr int kWarmupCalls = 5;
constexpr uint64_t kLeastCalls = 20;
constexpr std::chrono::seconds kCallTimeout(60);

// Returns how many points or buckets came.
absl::StatusOr<uint64_t> Ask(v1::Query::Stub& stub,
                             const v1::ReadRequest& request) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
  const auto reader = stub.Read(&context, request);
  v1::ReadResponse response;
  uint64_t points = 0;
  while (reader->Read(&response)) {
    for (const v1::SeriesPart& part : response.parts()) {
      points += part.values_size() + part.buckets().value_size();
    }
  }
  const grpc::Status status = reader->Finish();
  if (!status.ok()) {
    return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                        absl::StrCat("query: ", status.error_message()));
  }
  return points;
}

}  // namespace

absl::StatusOr<QueryResult> RunQueries(Target& target,
                                       const v1::ReadRequest& request,
                                       absl::Duration duration) {
  const auto stub = v1::Query::NewStub(target.channel());
  QueryResult result;
  for (int i = 0; i < kWarmupCalls; ++i) {
    const absl::StatusOr<uint64_t> points = Ask(*stub, request);
    if (!points.ok()) return points.status();
    result.points_per_query = *points;
  }
  const absl::StatusOr<ProcessUsage> before = target.Usage();
  if (!before.ok()) return before.status();
  const int64_t end = MonotonicNs() + absl::ToInt64Nanoseconds(duration);
  while (MonotonicNs() < end || result.round_trip_ns.count() < kLeastCalls) {
    const int64_t start = MonotonicNs();
    const absl::StatusOr<uint64_t> points = Ask(*stub, request);
    if (!points.ok()) return points.status();
    result.round_trip_ns.Add(static_cast<uint64_t>(MonotonicNs() - start));
    if (StopRequested()) return absl::CancelledError("stopped");
  }
  const absl::StatusOr<ProcessUsage> after = target.Usage();
  if (!after.ok()) return after.status();
  result.server_cpu_ns_per_query =
      (after->cpu_seconds - before->cpu_seconds) * 1e9 /
      static_cast<double>(result.round_trip_ns.count());
  return result;
}

}  // namespace waterflow::bench
