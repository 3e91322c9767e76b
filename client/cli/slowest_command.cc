// waterflow slowest: which worker holds up the others. By the metric whose role
// is step_time; without one, by the time between a worker's rows.
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/commands.h"
#include "client/cli/format.h"
#include "client/cli/select.h"
#include "client/cli/table.h"

namespace waterflow::cli {
namespace {

struct Pace {
  v1::Worker worker;
  double mean = 0;
  double max = 0;
  uint64_t slowest_steps = 0;
};

// Counts at how many steps each worker was the slowest.
absl::Status CountSlowestSteps(Api& api, const std::string& run_id,
                               const std::string& metric,
                               std::vector<Pace>* paces, uint64_t* steps) {
  v1::ReadRequest request;
  request.add_run_ids(run_id);
  request.add_metrics(metric);
  request.set_axis(v1::AXIS_STEP);
  request.set_reduction(v1::REDUCTION_MAX);
  std::map<std::string, uint64_t> counts;
  auto read = api.reader.Read(request, [&](const v1::SeriesPart& part) {
    const v1::Buckets& buckets = part.buckets();
    for (int i = 0; i < buckets.max_worker_size(); ++i) {
      const auto at = static_cast<int>(buckets.max_worker(i));
      if (buckets.count(i) == 0 || at >= buckets.workers_size()) continue;
      ++*steps;
      ++counts[WorkerText(buckets.workers(at))];
    }
  });
  if (!read.ok()) return read.status();
  for (Pace& pace : *paces) {
    pace.slowest_steps = counts[WorkerText(pace.worker)];
  }
  return absl::OkStatus();
}

// The time between neighbouring rows, in seconds, from each worker's most
// frequent metric.
absl::StatusOr<std::vector<Pace>> PaceOfRows(Api& api,
                                             const std::string& run_id) {
  v1::LastValuesRequest last_request;
  last_request.set_run_id(run_id);
  auto last = Call(*api.query, &v1::Query::Stub::LastValues, last_request);
  if (!last.ok()) return last.status();
  std::map<std::string, const v1::LastValue*> busiest;
  for (const v1::LastValue& value : last->values()) {
    const v1::LastValue*& best = busiest[WorkerText(value.worker())];
    if (best == nullptr || value.count() > best->count()) best = &value;
  }
  std::vector<Pace> paces;
  for (const auto& [name, value] : busiest) {
    v1::ReadRequest request;
    request.add_run_ids(run_id);
    request.add_metrics(value->metric());
    *request.add_workers() = value->worker();
    request.set_axis(v1::AXIS_TIME);
    std::vector<int64_t> times;
    auto read = api.reader.Read(request, [&](const v1::SeriesPart& part) {
      times.insert(times.end(), part.times_ns().begin(), part.times_ns().end());
    });
    if (!read.ok()) return read.status();
    if (times.size() < 2) continue;
    Pace pace;
    pace.worker = value->worker();
    pace.mean = static_cast<double>(times.back() - times.front()) / 1e9 /
                static_cast<double>(times.size() - 1);
    for (size_t i = 1; i < times.size(); ++i) {
      pace.max = std::max(pace.max,
                          static_cast<double>(times[i] - times[i - 1]) / 1e9);
    }
    paces.push_back(std::move(pace));
  }
  return paces;
}

absl::Status Print(const v1::Run& run, std::vector<Pace> paces,
                   const std::string& by, const std::string& unit,
                   uint64_t steps) {
  if (paces.empty()) {
    return absl::NotFoundError(absl::StrCat(
        "run ", run.name(), " has too few rows to compare its workers"));
  }
  std::sort(paces.begin(), paces.end(),
            [](const Pace& a, const Pace& b) { return a.mean > b.mean; });
  Table table(
      {">worker", ">mean", ">max", steps > 0 ? ">slowest of the step" : ">"});
  const std::string suffix = unit.empty() ? "" : " " + unit;
  for (const Pace& pace : paces) {
    table.Add({WorkerText(pace.worker), ShortValue(pace.mean) + suffix,
               ShortValue(pace.max) + suffix,
               steps > 0 ? absl::StrFormat(
                               "%.1f %%",
                               100.0 * static_cast<double>(pace.slowest_steps) /
                                   static_cast<double>(steps))
                         : ""});
  }
  table.Print(std::cout);
  const double fastest = paces.back().mean;
  std::cout << "slowest: worker " << WorkerText(paces[0].worker) << ", "
            << ShortValue(paces[0].mean) << suffix << " on average";
  if (paces.size() > 1 && fastest > 0) {
    std::cout << absl::StrFormat(", %.2f %% over the fastest",
                                 100 * (paces[0].mean / fastest - 1));
  }
  std::cout << " (by " << by << ")\n";
  return absl::OkStatus();
}

absl::Status Slowest(Api& api, const std::string& name) {
  auto run = FindRun(api, name);
  if (!run.ok()) return run.status();
  v1::ListMetricsRequest request;
  request.set_run_id(run->id());
  auto metrics = Call(*api.query, &v1::Query::Stub::ListMetrics, request);
  if (!metrics.ok()) return metrics.status();
  const auto step_time =
      std::find_if(metrics->metrics().begin(), metrics->metrics().end(),
                   [](const v1::Metric& m) { return m.role() == "step_time"; });
  if (step_time == metrics->metrics().end()) {
    auto paces = PaceOfRows(api, run->id());
    if (!paces.ok()) return paces.status();
    return Print(*run, *std::move(paces), "the time between rows", "s", 0);
  }
  v1::LastValuesRequest last_request;
  last_request.set_run_id(run->id());
  last_request.add_metrics(step_time->name());
  auto last = Call(*api.query, &v1::Query::Stub::LastValues, last_request);
  if (!last.ok()) return last.status();
  std::vector<Pace> paces;
  for (const v1::LastValue& value : last->values()) {
    if (value.count() == 0) continue;
    paces.push_back({value.worker(), value.mean(), value.max(), 0});
  }
  uint64_t steps = 0;
  if (absl::Status status =
          CountSlowestSteps(api, run->id(), step_time->name(), &paces, &steps);
      !status.ok()) {
    return status;
  }
  return Print(*run, std::move(paces), step_time->name(), step_time->unit(),
               steps);
}

}  // namespace

void AddSlowestCommand(CLI::App& app, Session* session) {
  CLI::App* slowest = app.add_subcommand(
      "slowest", "Which worker of a run is the slowest, and how often");
  slowest->footer(
      "By the metric whose role is step_time; without one, by the time between "
      "rows.\n\nExamples:\n  waterflow slowest --run lm_base");
  auto run = std::make_shared<std::string>();
  slowest->add_option("RUN,--run", *run, "Id, first digits of it, or name")
      ->type_name("")
      ->required();
  slowest->callback(
      [=] { session->action = [=](Api& api) { return Slowest(api, *run); }; });
}

}  // namespace waterflow::cli
