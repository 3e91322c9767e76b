// Lines over an axis, drawn with characters by gnuplot.
#ifndef WATERFLOW_CLIENT_CLI_CHART_H_
#define WATERFLOW_CLIENT_CLI_CHART_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace waterflow::cli {

struct ChartLine {
  std::string title;
  std::vector<std::pair<double, double>>
      points;  // those not finite are left out
};

struct Chart {
  std::string title;
  std::string x_label;
  bool x_is_time = false;  // x in Unix seconds
  std::vector<ChartLine> lines;
};

// Draws to standard output, as wide as the terminal. A logarithmic scale is
// taken when all values are positive and span more than four decades.
// FAILED_PRECONDITION when gnuplot is not installed; NOT_FOUND without points.
absl::Status Draw(const Chart& chart);

}  // namespace waterflow::cli

#endif  // WATERFLOW_CLIENT_CLI_CHART_H_
