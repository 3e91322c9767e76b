#include "bench/peers/http_peer.h"

#include <algorithm>
#include <utility>

namespace waterflow::bench {

absl::StatusOr<Measures> LoadAndWeigh(const Shape& shape,
                                      HttpLoadOptions options,
                                      HttpServer* server,
                                      HttpRequests* requests) {
  options.port = server->port();
  options.load.warmup = std::min(absl::Seconds(3), options.load.window);
  options.load.counters = [server] { return server->Counters(); };
  const absl::StatusOr<ProcessUsage> before = server->Usage();
  if (!before.ok()) return before.status();
  const absl::StatusOr<LoadResult> result = RunHttpLoad(options, requests);
  if (!result.ok()) return result.status();
  const absl::StatusOr<ProcessUsage> after = server->Usage();
  if (!after.ok()) return after.status();
  Measures measures = FromLoad(*result);
  measures["peak_rss_mb"] =
      static_cast<double>(after->peak_resident_bytes) * 1e-6;
  if (shape.weigh_memory) {
    measures["rss_bytes_per_series"] =
        (static_cast<double>(after->resident_bytes) -
         static_cast<double>(before->resident_bytes)) /
        (static_cast<double>(shape.workers) * shape.metrics);
  }
  measures["disk_bytes_per_sample"] =
      static_cast<double>(server->StopAndWeigh()) /
      static_cast<double>(result->total_samples);
  return measures;
}

}  // namespace waterflow::bench
