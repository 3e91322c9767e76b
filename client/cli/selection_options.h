// The options that say which runs, metrics and workers a question is about; the
// same for every subcommand that asks one.
#ifndef WATERFLOW_CLIENT_CLI_SELECTION_OPTIONS_H_
#define WATERFLOW_CLIENT_CLI_SELECTION_OPTIONS_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/api.h"
#include "client/cli/select.h"
#include "waterflow/v1/query.pb.h"

namespace CLI {
class App;
}

namespace waterflow::cli {

struct SelectionOptions {
  std::vector<std::string> runs;
  std::optional<std::string> filter;
  std::vector<std::string> projects;
  std::vector<std::string> order_by;
  uint32_t limit = 100;
  std::vector<std::string> metrics;
  std::vector<std::string> metric_regexes;
  std::vector<std::string> workers;
  std::vector<std::string> ranks;
  std::vector<std::string> roles;

  // Runs are to be searched.
  bool searches() const { return filter.has_value() || !projects.empty(); }
};

// Wrong usage: no run or metric, or runs in both ways. `options` must outlive
// the parsing.
void AddSelectionOptions(CLI::App* command, SelectionOptions* options);

// Those that are named, or those that a search finds. By their names the answer
// is printed, so the command line searches itself rather than by a run_filter.
absl::StatusOr<std::vector<v1::Run>> SelectedRuns(
    Api& api, const SelectionOptions& options);

// Metrics and workers, into a ReadRequest or a TailRequest.
template <typename Request>
absl::Status FillSelection(const SelectionOptions& options, Request* request) {
  for (const std::string& metric : options.metrics) {
    if (IsGlob(metric)) {
      request->add_metric_globs(metric);
    } else {
      request->add_metrics(metric);
    }
  }
  for (const auto& regex : options.metric_regexes) {
    request->add_metric_regexes(regex);
  }
  for (const std::string& text : options.workers) {
    auto worker = ParseWorker(text);
    if (!worker.ok()) return worker.status();
    *request->add_workers() = *worker;
  }
  for (const std::string& text : options.ranks) {
    auto range = ParseRankRange(text);
    if (!range.ok()) return range.status();
    *request->add_ranks() = *range;
  }
  for (const auto& role : options.roles) request->add_roles(role);
  return absl::OkStatus();
}

}  // namespace waterflow::cli

#endif  // WATERFLOW_CLIENT_CLI_SELECTION_OPTIONS_H_
