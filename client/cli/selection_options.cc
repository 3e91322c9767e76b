#include "client/cli/selection_options.h"

#include <utility>

#include "CLI/CLI.hpp"

namespace waterflow::cli {

void AddSelectionOptions(CLI::App* command, SelectionOptions* options) {
  command
      ->add_option("--run", options->runs,
                   "Id, first digits of it, or name; may be repeated")
      ->type_name("RUN")
      ->allow_extra_args(false);
  command
      ->add_option("--filter", options->filter,
                   "The runs that this finds, in place of --run; the language "
                   "of docs/search.md")
      ->type_name("FILTER");
  command
      ->add_option("--project", options->projects,
                   "Runs of this project, in place of --run; may be repeated")
      ->type_name("NAME")
      ->allow_extra_args(false);
  command
      ->add_option("--order-by", options->order_by,
                   "Of the runs that --filter or --project finds, which come "
                   "first; may be repeated")
      ->type_name("FIELD [ASC|DESC]")
      ->allow_extra_args(false);
  command
      ->add_option("--limit", options->limit,
                   "At most so many runs of --filter or --project")
      ->type_name("N")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command
      ->add_option("--metric", options->metrics,
                   "Name of a metric, or a glob such as 'grad/*'; may be "
                   "repeated")
      ->type_name("METRIC")
      ->allow_extra_args(false);
  command
      ->add_option("--metric-regex", options->metric_regexes,
                   "Metrics by a regular expression (RE2) that matches the "
                   "whole name; may be repeated")
      ->type_name("REGEX")
      ->allow_extra_args(false);
  command
      ->add_option("--worker", options->workers,
                   "Only this worker; may be repeated")
      ->type_name("[ROLE:]RANK")
      ->allow_extra_args(false)
      ->check(ParsedBy(ParseWorker));
  command
      ->add_option("--ranks", options->ranks,
                   "Only workers with a rank from A to B; may be repeated")
      ->type_name("A-B")
      ->allow_extra_args(false)
      ->check(ParsedBy(ParseRankRange));
  command
      ->add_option("--role", options->roles,
                   "Only workers with this role; may be repeated")
      ->type_name("ROLE")
      ->allow_extra_args(false);
  command->parse_complete_callback([options] {
    if (options->runs.empty() != options->searches()) {
      throw CLI::RequiredError(
          "either --run, or --filter or --project in its place,");
    }
    if (options->metrics.empty() && options->metric_regexes.empty()) {
      throw CLI::RequiredError("--metric or --metric-regex");
    }
  });
}

absl::StatusOr<std::vector<v1::Run>> SelectedRuns(
    Api& api, const SelectionOptions& options) {
  if (!options.searches()) return FindRuns(api, options.runs);
  v1::SearchRunsRequest request;
  for (const std::string& name : options.projects) request.add_projects(name);
  request.set_filter(options.filter.value_or(""));
  for (const auto& field : options.order_by) request.add_order_by(field);
  std::vector<v1::Run> runs;
  // A page may be cut short.
  while (runs.size() < options.limit) {
    request.set_page_size(options.limit - runs.size());
    auto page = Call(*api.tracking, &v1::Tracking::Stub::SearchRuns, request);
    if (!page.ok()) return page.status();
    for (v1::FoundRun& found : *page->mutable_runs()) {
      runs.push_back(std::move(*found.mutable_run()));
    }
    request.set_page_token(page->next_page_token());
    if (page->next_page_token().empty()) break;
  }
  if (runs.empty()) return absl::NotFoundError("no run is like that");
  return runs;
}

}  // namespace waterflow::cli
