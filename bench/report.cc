#include "bench/report.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace waterflow::bench {
namespace {

double AckMs(const LoadFigures& figures, double fraction) {
  return static_cast<double>(
             figures.result.counts.ack_ns.Percentile(fraction)) *
         1e-6;
}

double WireBytes(const LoadFigures& figures) {
  return static_cast<double>(figures.result.counts.message_bytes) /
         figures.samples();
}

std::string OrDash(const std::optional<double>& value) {
  return value.has_value() ? absl::StrFormat("%.2f", *value) : "-";
}

void PrintLoads(const Report& report, std::ostream& out) {
  out << absl::StrFormat("\n%-18s %10s %9s %7s %9s %27s %6s %6s %6s %6s\n", "",
                         "M samples", "server", "server", "client", "ack ms",
                         "wire", "disk", "seal", "peak")
      << absl::StrFormat("%-18s %10s %9s %7s %9s %9s %8s %8s %6s %6s %6s %6s\n",
                         "load", "per s", "ns/sample", "cores", "ns/sample",
                         "p50", "p99", "p99.9", "B/s.", "B/s.", "ns/s.", "MB");
  for (const LoadFigures& f : report.loads) {
    out << absl::StrFormat(
        "%-18s %10.2f %9.1f %7.2f %9.1f %9.2f %8.2f %8.2f %6.2f %6s "
        "%6s %6.0f\n",
        f.load, f.samples() * 1e-6 / f.result.seconds, f.server_ns_per_sample(),
        f.result.spent.server_cpu_seconds / f.result.seconds,
        f.client_ns_per_sample(), AckMs(f, 0.5), AckMs(f, 0.99),
        AckMs(f, 0.999), WireBytes(f), OrDash(f.disk_bytes_per_sample),
        OrDash(f.seal_ns_per_sample),
        static_cast<double>(f.peak_resident_bytes) * 1e-6);
  }
}

void PrintQueries(const Report& report, std::ostream& out) {
  if (report.queries.empty()) return;
  out << absl::StrFormat("\n%-44s %8s %8s %8s %14s\n", "query", "points",
                         "p50 ms", "p99 ms", "server CPU ms");
  for (const QueryFigures& q : report.queries) {
    out << absl::StrFormat("%-44s %8d %8.2f %8.2f %14.2f\n", q.query, q.points,
                           q.p50_ms, q.p99_ms, q.server_cpu_ms);
  }
}

nlohmann::json LoadToJson(const LoadFigures& f) {
  nlohmann::json json = {
      {"load", f.load},
      {"seconds", f.result.seconds},
      {"samples", f.result.counts.samples},
      {"batches", f.result.counts.batches},
      {"acks", f.result.counts.acks},
      {"samples_per_second", f.samples() / f.result.seconds},
      {"server_cpu_seconds", f.result.spent.server_cpu_seconds},
      {"server_cpu_ns_per_sample", f.server_ns_per_sample()},
      {"client_cpu_ns_per_sample", f.client_ns_per_sample()},
      {"ack_ms",
       {{"p50", AckMs(f, 0.5)},
        {"p99", AckMs(f, 0.99)},
        {"p99.9", AckMs(f, 0.999)},
        {"max", static_cast<double>(f.result.counts.ack_ns.max()) * 1e-6}}},
      {"wire_bytes_per_sample", WireBytes(f)},
      {"peak_resident_bytes", f.peak_resident_bytes}};
  if (f.disk_bytes_per_sample.has_value()) {
    json["disk_bytes_per_sample"] = *f.disk_bytes_per_sample;
    json["seal_ns_per_sample"] = f.seal_ns_per_sample.value_or(0);
  }
  return json;
}

}  // namespace

Setting Here() {
  Setting setting;
  setting.date =
      absl::FormatTime("%Y-%m-%d %H:%M %Z", absl::Now(), absl::LocalTimeZone());
  setting.cores = std::thread::hardware_concurrency();
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    if (!absl::StartsWith(line, "model name")) continue;
    const std::vector<std::string> parts =
        absl::StrSplit(line, absl::MaxSplits(": ", 1));
    setting.cpu_model = parts.back();
    break;
  }
  return setting;
}

void PrintTable(const Report& report, std::ostream& out) {
  const Setting& setting = report.setting;
  out << absl::StrFormat("%s, %d x %s\n", setting.date, setting.cores,
                         setting.cpu_model);
  if (!setting.server_version.empty()) {
    out << absl::StrFormat("%s, %s, sync %s\n", setting.server_version,
                           setting.storage_version, setting.sync);
  }
  out << setting.workload << "\n";
  PrintLoads(report, out);
  PrintQueries(report, out);
  if (report.idle.has_value()) {
    out << absl::StrFormat(
        "\nidle with an empty store: %.2f %% of a core, "
        "%.0f MB resident\n",
        report.idle->core_percent,
        static_cast<double>(report.idle->resident_bytes) * 1e-6);
  }
  PrintGoals(report.goals, out);
}

std::string ToJson(const Report& report) {
  const Setting& setting = report.setting;
  nlohmann::json json = {{"date", setting.date},
                         {"cpu_model", setting.cpu_model},
                         {"cores", setting.cores},
                         {"server_version", setting.server_version},
                         {"storage_version", setting.storage_version},
                         {"sync", setting.sync},
                         {"workload", setting.workload},
                         {"loads", nlohmann::json::array()},
                         {"queries", nlohmann::json::array()},
                         {"targets", nlohmann::json::array()}};
  for (const LoadFigures& f : report.loads) {
    json["loads"].push_back(LoadToJson(f));
  }
  for (const QueryFigures& q : report.queries) {
    json["queries"].push_back({{"query", q.query},
                               {"points", q.points},
                               {"p50_ms", q.p50_ms},
                               {"p99_ms", q.p99_ms},
                               {"server_cpu_ms", q.server_cpu_ms}});
  }
  if (report.idle.has_value()) {
    json["idle"] = {{"core_percent", report.idle->core_percent},
                    {"resident_bytes", report.idle->resident_bytes}};
  }
  for (const Goal& goal : report.goals) {
    json["targets"].push_back({{"what", goal.what},
                               {"value", goal.value},
                               {"limit", goal.limit},
                               {"unit", goal.unit},
                               {"met", goal.met()}});
  }
  return json.dump(2) + "\n";
}

}  // namespace waterflow::bench
