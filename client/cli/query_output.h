// A read's answer as a table, CSV, JSON or a chart.
#ifndef WATERFLOW_CLIENT_CLI_QUERY_OUTPUT_H_
#define WATERFLOW_CLIENT_CLI_QUERY_OUTPUT_H_

#include <cstdint>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "waterflow/v1/query.pb.h"

namespace waterflow::cli {

struct Answer {
  v1::Axis axis = v1::AXIS_STEP;
  std::vector<v1::SeriesPart> series;  // one per series, its parts joined
  v1::ReadSummary summary;
  std::map<std::string, std::string> run_names;  // by id
  std::map<std::string, int64_t> run_starts;     // by id, Unix nanoseconds
  std::vector<double> quantiles;                 // that were asked for

  // Joins a part to the last series or begins a new one.
  void Add(const v1::SeriesPart& part);
};

void PrintTable(const Answer& answer, std::ostream& out);
void PrintCsv(const Answer& answer, std::ostream& out);
// Raw points only, the header only if asked for.
void PrintCsvPoints(const Answer& answer, bool header, std::ostream& out);
void PrintJson(const Answer& answer, std::ostream& out);
absl::Status PrintChart(const Answer& answer);

}  // namespace waterflow::cli

#endif  // WATERFLOW_CLIENT_CLI_QUERY_OUTPUT_H_
