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

struct Options {
  std::string run;
  std::string prefix;
  std::string match;
  std::string fuzzy;
  bool tree = false;
  uint32_t limit = 0;
};

// How much there is of some metrics, by name. Left out where they are so many
// that nobody reads it line by line.
absl::StatusOr<std::map<std::string, Sums>> Count(
    Api& api, const std::string& run_id, const v1::ListMetricsResponse& found) {
  constexpr int kMostCounted = 1000;
  std::map<std::string, Sums> sums;
  if (found.metrics().empty() || found.metrics_size() > kMostCounted) {
    return sums;
  }
  v1::LastValuesRequest request;
  request.set_run_id(run_id);
  for (const auto& metric : found.metrics()) request.add_metrics(metric.name());
  auto last = Call(*api.query, &v1::Query::Stub::LastValues, request);
  if (!last.ok()) return last.status();
  for (const v1::LastValue& value : last->values()) {
    Sums& sum = sums[value.metric()];
    const uint64_t odd =
        value.nan_count() + value.pos_inf_count() + value.neg_inf_count();
    ++sum.workers;
    sum.values += value.count() + odd;
    sum.not_finite += odd;
  }
  return sums;
}

// Folders and metrics by name, as they stand in the tree.
void PrintTree(const v1::ListMetricsResponse& found) {
  std::map<std::string, std::string> lines;
  for (const v1::MetricFolder& folder : found.folders()) {
    lines[folder.prefix()] = WithCommas(folder.metrics());
  }
  for (const v1::Metric& metric : found.metrics()) lines[metric.name()];
  Table table({"name", ">metrics below"});
  for (auto& [name, count] : lines) table.Add({name, count});
  table.Print(std::cout);
}

absl::Status List(Api& api, const Options& options) {
  auto run = FindRun(api, options.run);
  if (!run.ok()) return run.status();
  v1::ListMetricsRequest request;
  request.set_run_id(run->id());
  request.set_prefix(options.prefix);
  request.set_contains(options.match);
  request.set_fuzzy(options.fuzzy);
  request.set_tree(options.tree);
  auto found = AllMetrics(api, request, options.limit);
  if (!found.ok()) return found.status();
  if (options.tree) {
    PrintTree(*found);
  } else {
    auto sums = Count(api, run->id(), *found);
    if (!sums.ok()) return sums.status();
    Table table({"metric", "unit", "goal", "over workers", "role", ">workers",
                 ">values", ">NaN/Inf"});
    for (const v1::Metric& metric : found->metrics()) {
      const auto sum = sums->find(metric.name());
      const bool counted = sum != sums->end();
      table.Add({metric.name(), metric.unit(), GoalText(metric.goal()),
                 ReductionText(metric.reduction()), metric.role(),
                 counted ? WithCommas(sum->second.workers) : "",
                 counted ? WithCommas(sum->second.values) : "",
                 counted && sum->second.not_finite > 0
                     ? WithCommas(sum->second.not_finite)
                     : ""});
    }
    table.Print(std::cout);
  }
  if (found->total() == 0) std::cout << "no metrics\n";
  if (!found->next_page_token().empty()) {
    std::cout << "there are more of " << WithCommas(found->total())
              << " metrics\n";
  }
  return absl::OkStatus();
}

}  // namespace

void AddMetricCommand(CLI::App& app, Session* session) {
  CLI::App* metric = app.add_subcommand("metric", "What a run has logged");
  metric->require_subcommand(1);
  metric->footer(
      "Examples:\n"
      "  waterflow metric list --run lm_base\n"
      "  waterflow metric list --run lm_base --tree\n"
      "  waterflow metric list --run lm_base --tree --prefix grad/\n"
      "  waterflow metric list --run lm_base --fuzzy l0norm --limit 20");
  CLI::App* list = metric->add_subcommand(
      "list", "The metrics of a run, their meaning and how much there is");
  auto options = std::make_shared<Options>();
  list->add_option("RUN,--run", options->run, "Id, first digits of it, or name")
      ->type_name("")
      ->required();
  list->add_option("--prefix", options->prefix, "Only names that begin so")
      ->type_name("TEXT");
  auto* match = list->add_option("--match", options->match,
                                 "Only names that hold this, in either case")
                    ->type_name("TEXT");
  auto* fuzzy =
      list->add_option("--fuzzy", options->fuzzy,
                       "Only names that hold these letters in this order; the "
                       "best match first")
          ->type_name("LETTERS")
          ->excludes(match);
  list->add_flag("--tree", options->tree,
                 "What is next below the prefix, up to a /")
      ->excludes(match)
      ->excludes(fuzzy);
  list->add_option("--limit", options->limit, "At most so many [all]")
      ->type_name("N");
  list->callback(
      [=] { session->action = [=](Api& api) { return List(api, *options); }; });
}

}  // namespace waterflow::cli
