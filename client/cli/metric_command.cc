// waterflow metric list
#include <iostream>
#include <map>
#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "client/cli/commands.h"
#include "client/cli/format.h"
#include "client/cli/select.h"
#include "client/cli/table.h"

namespace waterflow::cli {
namespace {

// Over all workers of a metric.
struct Sums {
  uint64_t workers = 0;
  uint64_t values = 0;
  uint64_t not_finite = 0;
};

absl::Status List(Api& api, const std::string& name) {
  auto run = FindRun(api, name);
  if (!run.ok()) return run.status();
  v1::ListMetricsRequest request;
  request.set_run_id(run->id());
  auto metrics = Call(*api.query, &v1::Query::Stub::ListMetrics, request);
  if (!metrics.ok()) return metrics.status();
  v1::LastValuesRequest last_request;
  last_request.set_run_id(run->id());
  auto last = Call(*api.query, &v1::Query::Stub::LastValues, last_request);
  if (!last.ok()) return last.status();
  std::map<std::string, Sums> sums;
  for (const v1::LastValue& value : last->values()) {
    Sums& sum = sums[value.metric()];
    const uint64_t odd =
        value.nan_count() + value.pos_inf_count() + value.neg_inf_count();
    ++sum.workers;
    sum.values += value.count() + odd;
    sum.not_finite += odd;
  }
  Table table({"metric", "unit", "goal", "over workers", "role", ">workers",
               ">values", ">NaN/Inf"});
  for (const v1::Metric& metric : metrics->metrics()) {
    const Sums& sum = sums[metric.name()];
    table.Add({metric.name(), metric.unit(), GoalText(metric.goal()),
               ReductionText(metric.reduction()), metric.role(),
               WithCommas(sum.workers), WithCommas(sum.values),
               sum.not_finite > 0 ? WithCommas(sum.not_finite) : ""});
  }
  table.Print(std::cout);
  if (metrics->metrics().empty()) std::cout << "no metrics\n";
  return absl::OkStatus();
}

}  // namespace

void AddMetricCommand(CLI::App& app, Session* session) {
  CLI::App* metric = app.add_subcommand("metric", "What a run has logged");
  metric->require_subcommand(1);
  metric->footer("Examples:\n  waterflow metric list --run lm_base");
  CLI::App* list = metric->add_subcommand(
      "list", "The metrics of a run, their meaning and how much there is");
  auto run = std::make_shared<std::string>();
  list->add_option("RUN,--run", *run, "Id, first digits of it, or name")
      ->type_name("")
      ->required();
  list->callback(
      [=] { session->action = [=](Api& api) { return List(api, *run); }; });
}

}  // namespace waterflow::cli
