#include "bench/ingest/results.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/status/status.h"

namespace waterflow::bench {
namespace {

using Json = nlohmann::ordered_json;

const char* BetterName(Better better) {
  switch (better) {
    case Better::kLower:
      return "lower";
    case Better::kHigher:
      return "higher";
    case Better::kNeither:
      break;
  }
  return "neither";
}

Json CellToJson(const Cell& cell) {
  Json measures = Json::object();
  for (const MeasureInfo& info : MeasureInfos()) {
    const std::optional<Spread> spread = cell.Get(info.key);
    if (!spread.has_value()) continue;
    measures[info.key] = {{"median", spread->median},
                          {"low", spread->low},
                          {"high", spread->high},
                          {"values", cell.Values(info.key)}};
  }
  return {{"shape", cell.shape},
          {"name", cell.name},
          {"subject", cell.subject},
          {"measures", std::move(measures)}};
}

Cell CellFromJson(const Json& json) {
  Cell cell{.shape = json.value("shape", ""),
            .name = json.value("name", ""),
            .subject = json.value("subject", ""),
            .runs = {}};
  for (const auto& [key, measure] : json.at("measures").items()) {
    const std::vector<double> values =
        measure.at("values").get<std::vector<double>>();
    if (cell.runs.size() < values.size()) cell.runs.resize(values.size());
    for (size_t i = 0; i < values.size(); ++i) cell.runs[i][key] = values[i];
  }
  return cell;
}

}  // namespace

double Spread::relative() const {
  return median == 0 ? 0 : (high - low) / 2 / std::abs(median);
}

Spread SpreadOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  const double median = values.size() % 2 == 1
                            ? values[half]
                            : (values[half - 1] + values[half]) / 2;
  return {median, values.front(), values.back()};
}

std::vector<double> Cell::Values(const std::string& measure) const {
  std::vector<double> values;
  for (const Measures& run : runs) {
    const auto found = run.find(measure);
    if (found != run.end()) values.push_back(found->second);
  }
  return values;
}

std::optional<Spread> Cell::Get(const std::string& measure) const {
  std::vector<double> values = Values(measure);
  if (values.empty()) return std::nullopt;
  return SpreadOf(std::move(values));
}

const Cell* Results::Find(absl::string_view shape,
                          absl::string_view subject) const {
  for (const Cell& cell : cells) {
    if (cell.shape == shape && cell.subject == subject) return &cell;
  }
  return nullptr;
}

std::optional<double> Results::Median(absl::string_view shape,
                                      absl::string_view subject,
                                      const std::string& measure) const {
  const Cell* cell = Find(shape, subject);
  if (cell == nullptr) return std::nullopt;
  const std::optional<Spread> spread = cell->Get(measure);
  if (!spread.has_value()) return std::nullopt;
  return spread->median;
}

Cell& Results::CellOf(const std::string& shape, const std::string& name,
                      const std::string& subject) {
  for (Cell& cell : cells) {
    if (cell.shape == shape && cell.subject == subject) return cell;
  }
  return cells.emplace_back(
      Cell{.shape = shape, .name = name, .subject = subject, .runs = {}});
}

std::string ToJson(const Results& results) {
  Json json = {{"benchmark", "ingest"},      {"date", results.date},
               {"machine", results.machine}, {"workload", results.workload},
               {"subjects", Json::array()},  {"skipped", Json::array()},
               {"measures", Json::array()},  {"cells", Json::array()},
               {"targets", Json::array()}};
  for (const SubjectVersion& v : results.versions) {
    json["subjects"].push_back({{"name", v.subject}, {"version", v.version}});
  }
  for (const Skipped& s : results.skipped) {
    json["skipped"].push_back({{"what", s.what}, {"why", s.why}});
  }
  for (const MeasureInfo& info : MeasureInfos()) {
    json["measures"].push_back({{"key", info.key},
                                {"label", info.label},
                                {"unit", info.unit},
                                {"better", BetterName(info.better)}});
  }
  for (const Cell& cell : results.cells) {
    json["cells"].push_back(CellToJson(cell));
  }
  for (const Goal& target : results.goals) {
    json["targets"].push_back({{"what", target.what},
                               {"value", target.value},
                               {"limit", target.limit},
                               {"at", target.at_least ? "least" : "most"},
                               {"unit", target.unit},
                               {"met", target.met()}});
  }
  return json.dump(1) + "\n";
}

absl::StatusOr<Results> FromJson(const std::string& text) {
  const absl::Status foreign = absl::InvalidArgumentError(
      "this is not what `waterflow-bench ingest --json` writes");
  // The library throws; nothing of that leaves here.
  try {
    const Json json = Json::parse(text);
    if (json.value("benchmark", "") != "ingest") return foreign;
    Results results;
    results.date = json.value("date", "");
    results.machine = json.value("machine", "");
    results.workload = json.value("workload", "");
    for (const Json& v : json.at("subjects")) {
      results.versions.push_back({v.value("name", ""), v.value("version", "")});
    }
    for (const Json& s : json.at("skipped")) {
      results.skipped.push_back({s.value("what", ""), s.value("why", "")});
    }
    for (const Json& cell : json.at("cells")) {
      results.cells.push_back(CellFromJson(cell));
    }
    return results;
  } catch (const nlohmann::json::exception&) {
    return foreign;
  }
}

}  // namespace waterflow::bench
