#include "bench/ingest/table.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/ingest/shape.h"

namespace waterflow::bench {
namespace {

constexpr char kServerNs[] = "server_ns_per_sample";

// Three digits that count, whatever the size.
std::string Short(double value) {
  if (value >= 1e6) return absl::StrFormat("%.4gM", value * 1e-6);
  if (value >= 1e4) return absl::StrFormat("%.4gk", value * 1e-3);
  if (value >= 1000) return absl::StrFormat("%.0f", value);
  return absl::StrFormat("%.3g", value);
}

std::string Value(const Cell& cell, const char* measure) {
  const std::optional<Spread> spread = cell.Get(measure);
  return spread.has_value() ? Short(spread->median) : "-";
}

// With how far repetitions lie apart.
std::string WithSpread(const Cell& cell, const char* measure) {
  const std::optional<Spread> spread = cell.Get(measure);
  if (!spread.has_value()) return "-";
  if (cell.runs.size() < 2) return Short(spread->median);
  return absl::StrFormat("%s ±%.0f%%", Short(spread->median),
                         100 * spread->relative());
}

// Columns of bytes that are no characters count for nothing: ± has two.
std::string Pad(const std::string& text, size_t width) {
  size_t shown = 0;
  for (const char c : text) shown += (c & 0xc0) != 0x80;
  return shown < width ? std::string(width - shown, ' ') + text : text;
}

void PrintToSink(const Results& results, const Cell& cell, std::ostream& out) {
  const auto ours = results.Median(cell.shape, cell.subject, kServerNs);
  const auto sink = results.Median(cell.shape, kSinkPeer, kServerNs);
  if (cell.subject != kWaterflow || !ours.has_value() || !sink.has_value()) {
    return;
  }
  out << absl::StrFormat("  %-17s %+.1f ns/sample, %.2f times the sink's CPU\n",
                         "", *ours - *sink, *ours / *sink);
}

void PrintLoads(const Results& results, std::ostream& out) {
  out << absl::StrFormat(
      "\n  %-17s %14s %14s %14s %8s %8s %8s %8s %6s %6s %7s %7s %6s %6s\n",
      "shape, subject", "samples/s", "CPU ns/sample", "us/message", "client ns",
      "ack p50", "p99", "p99.9", "sent B", "disk B", "written", "flush/s", "MB",
      "seals");
  std::string shape;
  for (const Cell& cell : results.cells) {
    if (cell.Values("samples_per_s").empty()) continue;
    if (cell.shape != shape) out << cell.name << "\n";
    shape = cell.shape;
    out << absl::StrFormat("  %-17s", cell.subject) << " "
        << Pad(WithSpread(cell, "samples_per_s"), 14) << " "
        << Pad(WithSpread(cell, kServerNs), 14) << " "
        << Pad(WithSpread(cell, "server_us_per_message"), 14)
        << absl::StrFormat(" %8s %8s %8s %8s %6s %6s %7s %7s %6s %6s\n",
                           Value(cell, "client_ns_per_sample"),
                           Value(cell, "ack_p50_ms"), Value(cell, "ack_p99_ms"),
                           Value(cell, "ack_p999_ms"),
                           Value(cell, "wire_bytes_per_sample"),
                           Value(cell, "disk_bytes_per_sample"),
                           Value(cell, "written_bytes_per_sample"),
                           Value(cell, "flushes_per_s"),
                           Value(cell, "peak_rss_mb"), Value(cell, "seals"));
    PrintToSink(results, cell, out);
  }
}

// What only some shapes have.
void PrintOthers(const Results& results, std::ostream& out) {
  for (const Cell& cell : results.cells) {
    for (const char* key :
         {"fdatasync_p50_ms", "fdatasync_p99_ms", "open_p50_ms", "open_p99_ms",
          "rss_bytes_per_stream", "rss_bytes_per_series"}) {
      if (cell.Values(key).empty()) continue;
      const MeasureInfo* info = FindMeasure(key);
      out << absl::StrFormat("%-50s %-16s %-14s",
                             absl::StrCat(cell.name, ", ", cell.subject),
                             info->label, info->unit)
          << Pad(WithSpread(cell, key), 14) << "\n";
    }
  }
}

}  // namespace

void PrintIngest(const Results& results, std::ostream& out) {
  out << results.date << ", " << results.machine << "\n";
  for (const SubjectVersion& v : results.versions) {
    out << absl::StrFormat("%s: %s\n", v.subject, v.version);
  }
  out << results.workload << "\n";
  PrintLoads(results, out);
  out << "\n";
  PrintOthers(results, out);
  for (const Skipped& skipped : results.skipped) {
    out << absl::StrFormat("skipped %s: %s\n", skipped.what, skipped.why);
  }
  PrintGoals(results.goals, out);
}

}  // namespace waterflow::bench
