#include "bench/ingest/measures.h"

namespace waterflow::bench {
namespace {

double Ms(uint64_t ns) { return static_cast<double>(ns) * 1e-6; }

}  // namespace

const std::vector<MeasureInfo>& MeasureInfos() {
  static const auto* const kInfos = new std::vector<MeasureInfo>{
      {"samples_per_s", "samples", "/s", Better::kHigher},
      {"messages_per_s", "messages", "/s", Better::kHigher},
      {"server_ns_per_sample", "server CPU", "ns/sample", Better::kLower},
      {"server_us_per_message", "server CPU", "us/message", Better::kLower},
      {"server_cores", "server CPU", "cores", Better::kNeither},
      {"client_ns_per_sample", "client CPU", "ns/sample", Better::kNeither},
      {"ack_p50_ms", "ack p50", "ms", Better::kLower},
      {"ack_p99_ms", "ack p99", "ms", Better::kLower},
      {"ack_p999_ms", "ack p99.9", "ms", Better::kLower},
      {"ack_max_ms", "ack max", "ms", Better::kNeither},
      {"open_p50_ms", "open p50", "ms", Better::kLower},
      {"open_p99_ms", "open p99", "ms", Better::kLower},
      {"late_p50_ms", "client late p50", "ms", Better::kNeither},
      {"late_p99_ms", "client late p99", "ms", Better::kNeither},
      {"wire_bytes_per_sample", "sent", "B/sample", Better::kLower},
      {"network_bytes_per_sample", "network", "B/sample", Better::kLower},
      {"written_bytes_per_sample", "written to disk", "B/sample",
       Better::kLower},
      {"flushes_per_s", "disk flushes", "/s", Better::kNeither},
      {"disk_bytes_per_sample", "on disk, settled", "B/sample", Better::kLower},
      {"seal_ns_per_sample", "sealing", "ns/sample", Better::kLower},
      {"peak_rss_mb", "peak RSS", "MB", Better::kLower},
      {"rss_bytes_per_stream", "RSS", "B/stream", Better::kLower},
      {"rss_bytes_per_series", "RSS", "B/series", Better::kLower},
      {"fdatasync_p50_ms", "fdatasync p50", "ms", Better::kNeither},
      {"fdatasync_p99_ms", "fdatasync p99", "ms", Better::kNeither},
      {"seals", "seals", "", Better::kNeither},
      {"seconds", "window", "s", Better::kNeither},
  };
  return *kInfos;
}

const MeasureInfo* FindMeasure(absl::string_view key) {
  for (const MeasureInfo& info : MeasureInfos()) {
    if (info.key == key) return &info;
  }
  return nullptr;
}

Measures FromLoad(const LoadResult& result) {
  const LoadCounts& counts = result.counts;
  Measures m = {
      {"seconds", result.seconds},
      {"server_cores", result.spent.server_cpu_seconds / result.seconds},
      {"flushes_per_s",
       static_cast<double>(result.spent.disk_flushes) / result.seconds},
  };
  if (counts.samples == 0) return m;
  const auto samples = static_cast<double>(counts.samples);
  const auto messages = static_cast<double>(counts.batches);
  m["samples_per_s"] = samples / result.seconds;
  m["messages_per_s"] = messages / result.seconds;
  m["server_ns_per_sample"] = result.spent.server_cpu_seconds * 1e9 / samples;
  m["server_us_per_message"] = result.spent.server_cpu_seconds * 1e6 / messages;
  m["client_ns_per_sample"] = result.client_cpu_seconds * 1e9 / samples;
  m["ack_p50_ms"] = Ms(counts.ack_ns.Percentile(0.5));
  m["ack_p99_ms"] = Ms(counts.ack_ns.Percentile(0.99));
  m["ack_p999_ms"] = Ms(counts.ack_ns.Percentile(0.999));
  m["ack_max_ms"] = Ms(counts.ack_ns.max());
  if (counts.late_ns.count() > 0) {
    m["late_p50_ms"] = Ms(counts.late_ns.Percentile(0.5));
    m["late_p99_ms"] = Ms(counts.late_ns.Percentile(0.99));
  }
  m["wire_bytes_per_sample"] =
      static_cast<double>(counts.message_bytes) / samples;
  m["network_bytes_per_sample"] =
      static_cast<double>(result.spent.network_bytes) / samples;
  m["written_bytes_per_sample"] =
      static_cast<double>(result.spent.disk_bytes) / samples;
  return m;
}

}  // namespace waterflow::bench
