#include "client/cli/chart.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "client/cli/terminal.h"

namespace waterflow::cli {
namespace {

bool IsInstalled(const std::string& program) {
  const char* path = std::getenv("PATH");
  if (path == nullptr) return false;
  for (const absl::string_view folder : absl::StrSplit(path, ':')) {
    if (access(absl::StrCat(folder, "/", program).c_str(), X_OK) == 0) {
      return true;
    }
  }
  return false;
}

std::string Quoted(const std::string& text) {
  return absl::StrCat(
      "\"", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}}), "\"");
}

bool Finite(const std::pair<double, double>& point) {
  return std::isfinite(point.first) && std::isfinite(point.second);
}

// How far the lines reach along x.
double SpanOf(const Chart& chart) {
  double first = std::numeric_limits<double>::infinity();
  double last = -first;
  for (const ChartLine& line : chart.lines) {
    for (const auto& [x, y] : line.points) {
      first = std::min(first, x);
      last = std::max(last, x);
    }
  }
  return std::max(last - first, 0.0);
}

std::string Script(const Chart& chart, bool logarithmic) {
  const TerminalSize size = SizeOfTerminal(STDOUT_FILENO);
  const int height = std::clamp(size.rows - 4, 12, 24);
  std::string script = absl::StrFormat(
      "set terminal dumb noenhanced size %d,%d\n"
      "set title %s\nset xlabel %s\nset tics nomirror\nset border 3\n"
      "set autoscale xfix\n",
      std::max(size.columns - 1, 40), height, Quoted(chart.title),
      Quoted(chart.x_label));
  if (chart.x_is_time) {
    // Its own choice of times would overlap.
    absl::StrAppendFormat(
        &script,
        "set xdata time\nset timefmt \"%%s\"\n"
        "set format x \"%%H:%%M:%%S\"\nset xtics %d\n",
        std::max<int64_t>(std::llround(SpanOf(chart) / 5), 1));
  }
  if (logarithmic) script += "set logscale y\nset format y \"%.0e\"\n";
  if (chart.lines.size() == 1) script += "unset key\n";
  script += "plot ";
  for (size_t i = 0; i < chart.lines.size(); ++i) {
    absl::StrAppend(&script, i > 0 ? ", " : "", "'-' using 1:2 with ",
                    chart.lines.size() == 1 ? "lines" : "points", " title ",
                    Quoted(chart.lines[i].title));
  }
  script += "\n";
  for (const ChartLine& line : chart.lines) {
    for (const auto& point : line.points) {
      if (!Finite(point)) continue;
      absl::StrAppendFormat(&script, "%.17g %.17g\n", point.first,
                            point.second);
    }
    script += "e\n";
  }
  return script;
}

}  // namespace

absl::Status Draw(const Chart& chart) {
  if (!IsInstalled("gnuplot")) {
    return absl::FailedPreconditionError(
        "a chart needs gnuplot, which is not installed: apt-get install "
        "gnuplot-nox (or take --format table)");
  }
  double least = std::numeric_limits<double>::infinity();
  double most = -least;
  for (const ChartLine& line : chart.lines) {
    for (const auto& point : line.points) {
      if (!Finite(point)) continue;
      least = std::min(least, point.second);
      most = std::max(most, point.second);
    }
  }
  if (least > most) {
    return absl::NotFoundError("no finite value to draw in this range");
  }
  std::cout.flush();
  // A dumb terminal begins its page with a form feed and fills lines with
  // blanks.
  FILE* gnuplot = popen(
      "gnuplot 2>&1 | tr -d '\\f' | sed -e 's/ *$//' | sed -e '/./,$!d'", "w");
  if (gnuplot == nullptr) return absl::InternalError("cannot start gnuplot");
  const std::string script = Script(chart, least > 0 && most / least > 1e4);
  const bool written =
      std::fwrite(script.data(), 1, script.size(), gnuplot) == script.size();
  if (pclose(gnuplot) != 0 || !written) {
    return absl::InternalError("gnuplot failed");
  }
  return absl::OkStatus();
}

}  // namespace waterflow::cli
