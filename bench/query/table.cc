// What scripts/bench query found, for people and for programs.
#include <nlohmann/json.hpp>
#include <ostream>

#include "absl/strings/str_format.h"
#include "bench/query/suite.h"

namespace waterflow::bench {

void PrintQuestions(const QueryResults& results, std::ostream& out) {
  out << results.date << ", " << results.machine << "\n";
  for (const std::string& version : results.versions) out << version << "\n";
  for (const std::string& line : results.skipped) out << "- " << line << "\n";
  out << absl::StrFormat("\n%-46s %-17s %9s %9s %9s %9s %9s\n", "question",
                         "subject", "p50 ms", "p99 ms", "CPU ms", "numbers",
                         "kB");
  std::string last;
  for (const QueryCell& cell : results.cells) {
    const Measured& m = cell.measured;
    out << absl::StrFormat(
        "%-46s %-17s %9.4g %9.4g %9.4g %9d %9s\n",
        cell.question.key == last ? "" : cell.question.name, cell.subject,
        m.p50_ms, m.p99_ms, m.cpu_ms, m.answer.numbers,
        m.answer.bytes == 0
            ? ""
            : absl::StrFormat("%.4g",
                              static_cast<double>(m.answer.bytes) * 1e-3));
    last = cell.question.key;
  }
  if (const auto& b = results.beside; b.has_value()) {
    out << absl::StrFormat(
        "\ningest alone %.4g M samples/s; with 8 dashboards that refresh 4 "
        "charts each 2 s %.4g M samples/s\n"
        "a chart beside it: %d refreshed, p50 %.4g ms, p99 %.4g ms\n"
        "ack of a row to its subscriber beside it: %d rows, p50 %.4g ms, p99 "
        "%.4g ms\n",
        b->alone_samples_per_s * 1e-6, b->with_dashboards_samples_per_s * 1e-6,
        b->charts, b->chart_p50_ms, b->chart_p99_ms, b->tailed_rows,
        b->tail_p50_ms, b->tail_p99_ms);
  }
  PrintGoals(results.Goals(), out);
}

std::string ToJson(const QueryResults& results) {
  nlohmann::json json = {{"date", results.date},
                         {"machine", results.machine},
                         {"versions", results.versions},
                         {"skipped", results.skipped},
                         {"answers", nlohmann::json::array()},
                         {"goals", nlohmann::json::array()}};
  for (const QueryCell& cell : results.cells) {
    const Measured& m = cell.measured;
    json["answers"].push_back({{"question", cell.question.key},
                               {"subject", cell.subject},
                               {"calls", m.calls},
                               {"p50_ms", m.p50_ms},
                               {"p99_ms", m.p99_ms},
                               {"cpu_ms", m.cpu_ms},
                               {"numbers", m.answer.numbers},
                               {"bytes", m.answer.bytes}});
  }
  if (const auto& b = results.beside; b.has_value()) {
    json["beside"] = {
        {"alone_samples_per_s", b->alone_samples_per_s},
        {"with_dashboards_samples_per_s", b->with_dashboards_samples_per_s},
        {"charts", b->charts},
        {"chart_p50_ms", b->chart_p50_ms},
        {"chart_p99_ms", b->chart_p99_ms},
        {"tailed_rows", b->tailed_rows},
        {"tail_p50_ms", b->tail_p50_ms},
        {"tail_p99_ms", b->tail_p99_ms}};
  }
  for (const Goal& goal : results.Goals()) {
    json["goals"].push_back({{"what", goal.what},
                             {"value", goal.value},
                             {"limit", goal.limit},
                             {"unit", goal.unit},
                             {"at_least", goal.at_least},
                             {"met", goal.met()}});
  }
  return json.dump(2) + "\n";
}

}  // namespace waterflow::bench
