#include "client/cli/query_output.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "client/cli/chart.h"
#include "client/cli/csv.h"
#include "client/cli/format.h"
#include "client/cli/table.h"
#include "nlohmann/json.hpp"

namespace waterflow::cli {
namespace {

std::string RunName(const Answer& answer, const v1::SeriesPart& series) {
  auto name = answer.run_names.find(series.run_id());
  return name == answer.run_names.end() ? ShortId(series.run_id())
                                        : name->second;
}

// The worker, or what was made of all of them.
std::string WorkerColumn(const v1::SeriesPart& series) {
  return series.has_worker() ? WorkerText(series.worker())
                             : ReductionText(series.reduction());
}

bool HasStep(const v1::SeriesPart& series, int i) {
  return series.has_step().empty() || series.has_step(i);
}

std::string WorkerAt(const v1::Buckets& buckets, uint32_t index) {
  if (index >= static_cast<uint32_t>(buckets.workers_size())) return "";
  return WorkerText(buckets.workers(static_cast<int>(index)));
}

uint64_t NotFinite(const v1::Buckets& b, int i) {
  return b.nan_count(i) + b.pos_inf_count(i) + b.neg_inf_count(i);
}

bool Bucketed(const Answer& answer) {
  return std::any_of(answer.series.begin(), answer.series.end(),
                     [](const auto& s) { return s.has_buckets(); });
}

// A name that is the same in every line needs no column.
struct Names {
  bool runs = false;
  bool metrics = false;

  explicit Names(const Answer& answer) {
    std::set<std::string> run_ids;
    std::set<std::string> metric_names;
    for (const auto& series : answer.series) {
      run_ids.insert(series.run_id());
      metric_names.insert(series.metric());
    }
    runs = run_ids.size() > 1;
    metrics = metric_names.size() > 1;
  }

  std::vector<std::string> Cells(std::string run, std::string metric) const {
    std::vector<std::string> cells;
    if (runs) cells.push_back(std::move(run));
    if (metrics) cells.push_back(std::move(metric));
    return cells;
  }
};

void Extend(std::vector<std::string>* cells, std::vector<std::string> more) {
  cells->insert(cells->end(), more.begin(), more.end());
}

Table PointTable(const Answer& answer) {
  const Names names(answer);
  std::vector<std::string> headers = names.Cells("run", "metric");
  Extend(&headers, {">worker", ">step", "time", ">value"});
  Table table(headers);
  for (const auto& series : answer.series) {
    for (int i = 0; i < series.values_size(); ++i) {
      auto cells = names.Cells(RunName(answer, series), series.metric());
      Extend(&cells, {WorkerColumn(series),
                      HasStep(series, i) ? absl::StrCat(series.steps(i)) : "",
                      PositionText(v1::AXIS_TIME, series.times_ns(i)),
                      ShortValue(series.values(i))});
      table.Add(std::move(cells));
    }
  }
  return table;
}

// "p50" of the quantile 0.5.
std::string QuantileName(double quantile) {
  return absl::StrCat("p", 100 * quantile);
}

// The quantiles of bucket i.
absl::Span<const double> QuantilesOf(const Answer& answer, const v1::Buckets& b,
                                     int i) {
  const size_t count = answer.quantiles.size();
  const size_t from = count * static_cast<size_t>(i);
  if (from + count > static_cast<size_t>(b.quantiles_size())) return {};
  return absl::MakeConstSpan(b.quantiles().data() + from, count);
}

Table BucketTable(const Answer& answer) {
  const Names names(answer);
  const bool reduced =
      std::any_of(answer.series.begin(), answer.series.end(),
                  [](const auto& s) { return !s.has_worker(); });
  std::vector<std::string> headers = names.Cells("run", "metric");
  Extend(&headers, {reduced ? "of workers" : ">worker", ">from", ">to",
                    ">points", ">value", ">min", ">max"});
  if (reduced) Extend(&headers, {">min of", ">max of"});
  for (const double q : answer.quantiles) {
    headers.push_back(">" + QuantileName(q));
  }
  headers.emplace_back(">NaN/Inf");
  Table table(headers);
  for (const auto& series : answer.series) {
    const v1::Buckets& b = series.buckets();
    for (int i = 0; i < b.value_size(); ++i) {
      auto cells = names.Cells(RunName(answer, series), series.metric());
      Extend(
          &cells,
          {WorkerColumn(series), PositionText(answer.axis, b.first_position(i)),
           PositionText(answer.axis, b.last_position(i)),
           WithCommas(b.count(i) + NotFinite(b, i)), ShortValue(b.value(i)),
           ShortValue(b.min(i)), ShortValue(b.max(i))});
      if (reduced) {
        const bool known = i < b.min_worker_size() && b.count(i) > 0;
        Extend(&cells, {known ? WorkerAt(b, b.min_worker(i)) : "",
                        known ? WorkerAt(b, b.max_worker(i)) : ""});
      }
      for (const double value : QuantilesOf(answer, b, i)) {
        cells.push_back(ShortValue(value));
      }
      cells.push_back(NotFinite(b, i) > 0 ? WithCommas(NotFinite(b, i)) : "");
      table.Add(std::move(cells));
    }
  }
  return table;
}

std::string CsvName(const Answer& answer, const v1::SeriesPart& series) {
  return absl::StrCat(CsvText(RunName(answer, series)), ",",
                      CsvText(series.metric()), ",",
                      CsvText(WorkerColumn(series)));
}

// JSON has no word for these.
nlohmann::ordered_json JsonValue(double value) {
  if (std::isfinite(value)) return value;
  if (std::isnan(value)) return "NaN";
  return value > 0 ? "Infinity" : "-Infinity";
}

template <typename Values>
nlohmann::ordered_json JsonValues(const Values& values) {
  auto json = nlohmann::ordered_json::array();
  for (const auto value : values) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, double>) {
      json.push_back(JsonValue(value));
    } else {
      json.push_back(value);
    }
  }
  return json;
}

nlohmann::ordered_json JsonBuckets(const Answer& answer, const v1::Buckets& b) {
  nlohmann::ordered_json json;
  json["first_position"] = JsonValues(b.first_position());
  json["last_position"] = JsonValues(b.last_position());
  json["count"] = JsonValues(b.count());
  json["nan_count"] = JsonValues(b.nan_count());
  json["pos_inf_count"] = JsonValues(b.pos_inf_count());
  json["neg_inf_count"] = JsonValues(b.neg_inf_count());
  json["value"] = JsonValues(b.value());
  json["mean"] = JsonValues(b.mean());
  json["stddev"] = JsonValues(b.stddev());
  json["min"] = JsonValues(b.min());
  json["max"] = JsonValues(b.max());
  json["min_position"] = JsonValues(b.min_position());
  json["max_position"] = JsonValues(b.max_position());
  json["first"] = JsonValues(b.first());
  json["last"] = JsonValues(b.last());
  if (b.min_worker_size() > 0) {
    auto of = [&b](const auto& indexes) {
      auto names = nlohmann::ordered_json::array();
      for (const uint32_t index : indexes) names.push_back(WorkerAt(b, index));
      return names;
    };
    json["min_worker"] = of(b.min_worker());
    json["max_worker"] = of(b.max_worker());
  }
  // By quantile, a value a bucket each.
  for (size_t q = 0; q < answer.quantiles.size(); ++q) {
    auto values = nlohmann::ordered_json::array();
    for (int i = 0; i < b.value_size(); ++i) {
      const auto of_bucket = QuantilesOf(answer, b, i);
      if (!of_bucket.empty()) values.push_back(JsonValue(of_bucket[q]));
    }
    json["quantiles"][QuantileName(answer.quantiles[q])] = std::move(values);
  }
  return json;
}

}  // namespace

void Answer::Add(const v1::SeriesPart& part) {
  const bool same = !series.empty() &&
                    series.back().run_id() == part.run_id() &&
                    series.back().metric() == part.metric() &&
                    series.back().has_worker() == part.has_worker() &&
                    series.back().worker().role() == part.worker().role() &&
                    series.back().worker().rank() == part.worker().rank();
  if (!same) {
    series.push_back(part);
    return;
  }
  // The list of workers is the same in every part.
  if (part.has_buckets()) {
    series.back().mutable_buckets()->clear_workers();
  }
  series.back().MergeFrom(part);
}

void PrintTable(const Answer& answer, std::ostream& out) {
  (Bucketed(answer) ? BucketTable(answer) : PointTable(answer)).Print(out);
  out << WithCommas(answer.summary.points_read() +
                    answer.summary.points_summarised())
      << " points, "
      << (answer.summary.exact() ? "every one is in the answer"
          : Bucketed(answer)     ? "summed up into buckets"
                                 : "the answer is computed from them")
      << '\n';
}

void PrintCsvPoints(const Answer& answer, bool header, std::ostream& out) {
  if (header) out << "run,metric,worker,step,time_ns,value\n";
  for (const auto& series : answer.series) {
    const std::string prefix = CsvName(answer, series);
    for (int i = 0; i < series.values_size(); ++i) {
      out << prefix << ','
          << (HasStep(series, i) ? absl::StrCat(series.steps(i)) : "") << ','
          << series.times_ns(i) << ',' << ExactValue(series.values(i)) << '\n';
    }
  }
}

void PrintCsv(const Answer& answer, std::ostream& out) {
  if (!Bucketed(answer)) {
    PrintCsvPoints(answer, true, out);
    return;
  }
  out << "run,metric,worker,first_position,last_position,count,nan_count,"
         "pos_inf_count,neg_inf_count,value,mean,stddev,min,max,min_position,"
         "max_position,first,last,min_worker,max_worker";
  for (const double q : answer.quantiles) out << ',' << QuantileName(q);
  out << '\n';
  for (const auto& series : answer.series) {
    const v1::Buckets& b = series.buckets();
    const std::string prefix = CsvName(answer, series);
    for (int i = 0; i < b.value_size(); ++i) {
      const bool known = i < b.min_worker_size() && b.count(i) > 0;
      out << prefix << ','
          << absl::StrJoin(
                 {absl::StrCat(b.first_position(i)),
                  absl::StrCat(b.last_position(i)), absl::StrCat(b.count(i)),
                  absl::StrCat(b.nan_count(i)),
                  absl::StrCat(b.pos_inf_count(i)),
                  absl::StrCat(b.neg_inf_count(i)), ExactValue(b.value(i)),
                  ExactValue(b.mean(i)), ExactValue(b.stddev(i)),
                  ExactValue(b.min(i)), ExactValue(b.max(i)),
                  absl::StrCat(b.min_position(i)),
                  absl::StrCat(b.max_position(i)), ExactValue(b.first(i)),
                  ExactValue(b.last(i)),
                  known ? WorkerAt(b, b.min_worker(i)) : "",
                  known ? WorkerAt(b, b.max_worker(i)) : ""},
                 ",");
      for (const double value : QuantilesOf(answer, b, i)) {
        out << ',' << ExactValue(value);
      }
      out << '\n';
    }
  }
}

void PrintJson(const Answer& answer, std::ostream& out) {
  nlohmann::ordered_json json;
  json["series"] = nlohmann::ordered_json::array();
  for (const auto& series : answer.series) {
    nlohmann::ordered_json entry;
    entry["run_id"] = series.run_id();
    entry["run"] = RunName(answer, series);
    entry["metric"] = series.metric();
    if (series.has_worker()) {
      entry["worker"] = WorkerText(series.worker());
    }
    if (series.has_buckets()) {
      entry["reduction"] = ReductionText(series.reduction());
      entry["buckets"] = JsonBuckets(answer, series.buckets());
    } else {
      entry["steps"] = JsonValues(series.steps());
      entry["times_ns"] = JsonValues(series.times_ns());
      entry["values"] = JsonValues(series.values());
      if (!series.has_step().empty()) {
        entry["has_step"] = JsonValues(series.has_step());
      }
    }
    json["series"].push_back(std::move(entry));
  }
  json["exact"] = answer.summary.exact();
  json["points_read"] = answer.summary.points_read();
  json["points_summarised"] = answer.summary.points_summarised();
  out << json.dump() << '\n';
}

absl::Status PrintChart(const Answer& answer) {
  const Names names(answer);
  Chart chart;
  chart.x_is_time = answer.axis == v1::AXIS_TIME;
  chart.x_label = answer.axis == v1::AXIS_TIME ? "time"
                  : answer.axis == v1::AXIS_RELATIVE_TIME
                      ? "seconds since the start"
                      : "step";
  // Steps as they are, times in seconds.
  const double unit = answer.axis == v1::AXIS_STEP ? 1 : 1e9;
  uint64_t not_finite = 0;
  for (const auto& series : answer.series) {
    ChartLine line;
    auto title = names.Cells(RunName(answer, series), series.metric());
    title.push_back(series.has_worker() ? "worker " + WorkerColumn(series)
                                        : WorkerColumn(series) + " of workers");
    line.title = absl::StrJoin(title, " ");
    const v1::Buckets& b = series.buckets();
    for (int i = 0; i < b.value_size(); ++i) {
      // The middle of the bucket.
      const double x = (static_cast<double>(b.first_position(i)) +
                        static_cast<double>(b.last_position(i))) /
                       2 / unit;
      line.points.emplace_back(x, b.value(i));
      not_finite += NotFinite(b, i);
    }
    const auto run_start = answer.run_starts.find(series.run_id());
    const int64_t origin = answer.axis == v1::AXIS_RELATIVE_TIME &&
                                   run_start != answer.run_starts.end()
                               ? run_start->second
                               : 0;
    for (int i = 0; i < series.values_size(); ++i) {
      const int64_t x = answer.axis == v1::AXIS_STEP
                            ? series.steps(i)
                            : series.times_ns(i) - origin;
      line.points.emplace_back(static_cast<double>(x) / unit, series.values(i));
      not_finite += std::isfinite(series.values(i)) ? 0 : 1;
    }
    chart.lines.push_back(std::move(line));
  }
  if (!answer.series.empty()) {
    const auto& first = answer.series.front();
    auto title = std::vector<std::string>();
    if (!names.metrics) title.push_back(first.metric());
    if (!names.runs) title.push_back(RunName(answer, first));
    if (chart.lines.size() == 1) {
      title.push_back(first.has_worker() ? "worker " + WorkerColumn(first)
                                         : WorkerColumn(first) + " of workers");
    }
    if (not_finite > 0) {
      title.push_back(
          absl::StrCat(WithCommas(not_finite), " NaN/Inf left out"));
    }
    chart.title = absl::StrJoin(title, ", ");
  }
  return Draw(chart);
}

}  // namespace waterflow::cli
