#include "tests/golden/store_text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <iterator>
#include <tuple>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace waterflow::storage {
namespace {

constexpr size_t kLineBytes = 96;

// "key: items", in lines; neighbours that are alike as one item.
std::string List(absl::string_view key, const std::vector<std::string>& items) {
  std::string text = absl::StrCat(key, ":");
  size_t line = text.size();
  for (size_t i = 0, end = 0; i < items.size(); i = end) {
    while (end < items.size() && items[end] == items[i]) ++end;
    const std::string item =
        end - i == 1 ? items[i] : absl::StrCat(items[i], "x", end - i);
    if (line + 1 + item.size() > kLineBytes) {
      absl::StrAppend(&text, "\n ");
      line = 1;
    }
    absl::StrAppend(&text, " ", item);
    line += 1 + item.size();
  }
  return absl::StrCat(text, "\n");
}

std::string ValueText(double value) {
  if (std::isnan(value)) {
    return absl::StrFormat("nan:%016x", std::bit_cast<uint64_t>(value));
  }
  char digits[32];
  const auto [end, error] = std::to_chars(digits, std::end(digits), value);
  return std::string(digits, end);
}

std::string TagsText(const Tags& tags) {
  if (tags.empty()) return "-";
  return absl::StrJoin(tags, ", ", [](std::string* out, const auto& tag) {
    absl::StrAppend(out, tag.first, "=", absl::CEscape(tag.second));
  });
}

std::string WorkerText(const Worker& worker) {
  return absl::StrCat(worker.role, ".", worker.rank);
}

std::string AxisText(const Points& points) {
  int64_t step = 0;
  std::vector<std::string> steps;
  std::vector<std::string> times;
  std::vector<std::string> stamped;
  for (size_t i = 0; i < points.size(); ++i) {
    const bool has_step = points.has_step.empty() || points.has_step[i];
    steps.push_back(has_step ? absl::StrCat(points.steps[i] - step) : "-");
    if (has_step) step = points.steps[i];
    times.push_back(absl::StrCat(points.times_ns[i] -
                                 (i == 0 ? 0 : points.times_ns[i - 1])));
    const bool by_server =
        !points.time_stamped.empty() && points.time_stamped[i];
    stamped.push_back(by_server ? "server" : "client");
  }
  return absl::StrCat(List("steps", steps), List("times", times),
                      List("stamped", stamped));
}

std::string ProjectText(const Project& project) {
  return absl::StrCat(
      "name: project ", project.name, "\ntags: ", TagsText(project.tags),
      "\ncreated: ", project.created_ns, "\nupdated: ", project.updated_ns,
      "\nretention: ", project.retention_age_ns,
      "\nmax rows per second: ", project.max_rows_per_second,
      "\nmax disk bytes: ", project.max_disk_bytes,
      "\nruns: ", project.run_count, "\n");
}

std::string RecordText(const Run& run) {
  return absl::StrCat(
      "name: run ", run.name, "\nid: ", run.id.ToHex(),
      "\nproject: ", run.project, "\nkey: ", run.key,
      "\nstatus: ", static_cast<int>(run.status), "\nstart: ", run.start_ns,
      "\nend: ", run.end_ns, "\ncreated: ", run.created_ns,
      "\nupdated: ", run.updated_ns, "\nparams: ", TagsText(run.params),
      "\ntags: ", TagsText(run.tags), "\nworkers: ", run.worker_count,
      "\nrows: ", run.row_count, "\nvalues: ", run.value_count,
      "\nattempt: ", run.attempt, "\n");
}

// Of what a metric may say of itself, what this one says.
std::string MetricText(const Run& run, const Metric& metric) {
  std::string text =
      absl::StrCat("name: metric ", run.name, " ", metric.name,
                   "\ngoal: ", static_cast<int>(metric.goal),
                   "\nreduction: ", static_cast<int>(metric.reduction), "\n");
  for (const auto& [key, value] :
       {std::pair("unit", metric.unit),
        std::pair("description", metric.description),
        std::pair("role", metric.role),
        std::pair("step_metric", metric.step_metric)}) {
    if (!value.empty()) absl::StrAppend(&text, key, ": ", value, "\n");
  }
  return text;
}

// last_seen_ns is left out: it is not stored.
std::string WorkerRecord(const Run& run, const WorkerInfo& info) {
  return absl::StrCat(
      "name: worker ", run.name, " ", WorkerText(info.worker),
      "\nattempt: ", info.attempt, "\nworld_size: ", info.world_size,
      "\nfirst_seen: ", info.first_seen_ns,
      "\nclock_offset: ", info.clock_offset_ns, "\nrows: ", info.rows, "\n");
}

// Series of one run, by time: rows without a step are there too.
std::vector<SeriesPart> ReadSeries(Engine* engine, const Run& run,
                                   const std::vector<std::string>& metrics,
                                   std::vector<LostRange>* lost) {
  ReadSpec spec;
  spec.runs = {run.id};
  spec.metrics = metrics;
  spec.axis = Axis::kTime;
  std::vector<SeriesPart> series;
  if (metrics.empty()) return series;
  const auto read = engine->Read(spec, [&](SeriesPart part) {
    series.push_back(std::move(part));
    return absl::OkStatus();
  });
  EXPECT_TRUE(read.ok()) << read.status();
  if (read.ok()) *lost = read->lost;
  std::stable_sort(series.begin(), series.end(),
                   [](const SeriesPart& a, const SeriesPart& b) {
                     return std::tie(*a.worker, a.metric) <
                            std::tie(*b.worker, b.metric);
                   });
  return series;
}

}  // namespace

std::vector<std::string> RunText(Engine* engine, const Run& run) {
  std::vector<std::string> text = {RecordText(run)};
  auto workers = engine->ListWorkers(run.id);
  EXPECT_TRUE(workers.ok()) << workers.status();
  for (const WorkerInfo& info : *workers) {
    text.push_back(WorkerRecord(run, info));
  }
  auto metrics = engine->ListMetrics(run.id);
  EXPECT_TRUE(metrics.ok()) << metrics.status();
  std::vector<std::string> names;
  for (const Metric& metric : *metrics) {
    text.push_back(MetricText(run, metric));
    names.push_back(metric.name);
  }
  std::vector<LostRange> lost;
  std::string axis_before;
  for (const SeriesPart& part : ReadSeries(engine, run, names, &lost)) {
    if (part.points.size() == 0) continue;
    std::vector<std::string> values;
    for (const double value : part.points.values) {
      values.push_back(ValueText(value));
    }
    std::string axis = AxisText(part.points);
    text.push_back(
        absl::StrCat("name: series ", run.name, " ", part.metric, " ",
                     WorkerText(*part.worker), "\n",
                     axis == axis_before ? "axis: as before\n" : axis,
                     List("values", values)));
    axis_before = std::move(axis);
  }
  for (const LostRange& range : lost) {
    text.push_back(
        absl::StrCat("name: lost ", run.name, " ", WorkerText(range.worker),
                     "\nrows: ", range.first_row, " to ", range.end_row,
                     "\nmetrics: ", absl::StrJoin(range.metrics, " "), "\n"));
  }
  return text;
}

std::vector<std::string> StoreText(Engine* engine) {
  std::vector<std::string> text;
  for (const Project& project : engine->ListProjects()) {
    text.push_back(ProjectText(project));
    auto page = engine->ListRuns(project.name, 1000, "");
    EXPECT_TRUE(page.ok()) << page.status();
    for (const Run& run : page->runs) {
      const std::vector<std::string> of_run = RunText(engine, run);
      text.insert(text.end(), of_run.begin(), of_run.end());
    }
  }
  return text;
}

}  // namespace waterflow::storage
