// waterflow query: a range of values.
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/derivations.h"
#include "client/cli/format.h"
#include "client/cli/query_output.h"
#include "client/cli/select.h"
#include "client/cli/selection_options.h"
#include "client/cli/terminal.h"

namespace waterflow::cli {
namespace {

struct Options {
  SelectionOptions selection;
  std::string step_range;
  std::string time_range;
  std::optional<uint32_t> points;
  std::string reduce;
  std::vector<double> quantiles;
  std::string attempt;
  std::vector<std::string> derive;
  std::string axis = "step";
  std::string format = "table";
};

v1::Reduction ReductionOf(const std::string& text) {
  if (text == "mean") return v1::REDUCTION_MEAN;
  if (text == "sum") return v1::REDUCTION_SUM;
  if (text == "min") return v1::REDUCTION_MIN;
  if (text == "max") return v1::REDUCTION_MAX;
  if (text == "default") return v1::REDUCTION_DEFAULT;
  return v1::REDUCTION_UNSPECIFIED;
}

v1::Axis AxisOf(const std::string& text) {
  if (text == "time") return v1::AXIS_TIME;
  if (text == "relative") return v1::AXIS_RELATIVE_TIME;
  return v1::AXIS_STEP;
}

// What fits where it is shown; files and pipes get every point.
uint32_t DefaultPoints(const Options& options) {
  if (options.format == "table") return 20;
  if (options.format == "chart") {
    return static_cast<uint32_t>(
        std::max(SizeOfTerminal(STDOUT_FILENO).columns * 2, 40));
  }
  return 0;
}

absl::Status FillRanges(const Options& options, v1::ReadRequest* request) {
  if (!options.step_range.empty()) {
    auto range = ParseStepRange(options.step_range);
    if (!range.ok()) return range.status();
    *request->mutable_step_range() = *range;
  }
  if (!options.time_range.empty()) {
    auto range = ParseTimeRange(options.time_range);
    if (!range.ok()) return range.status();
    *request->mutable_time_range() = *range;
  }
  return absl::OkStatus();
}

void WarnOfLostRows(const v1::ReadSummary& summary) {
  for (const v1::LostRange& lost : summary.lost()) {
    std::cerr << "waterflow: warning: worker " << WorkerText(lost.worker())
              << " lost its rows " << lost.first_row() << " to "
              << lost.end_row() - 1 << '\n';
  }
}

absl::Status Query(Api& api, const Options& options) {
  v1::ReadRequest request;
  for (const absl::Status& status : {FillSelection(options.selection, &request),
                                     FillRanges(options, &request)}) {
    if (!status.ok()) return status;
  }
  auto runs = SelectedRuns(api, options.selection);
  if (!runs.ok()) return runs.status();
  Answer answer;
  answer.axis = AxisOf(options.axis);
  for (const v1::Run& run : *runs) {
    request.add_run_ids(run.id());
    answer.run_names[run.id()] = run.name();
    answer.run_starts[run.id()] = run.start_ns();
  }
  request.set_axis(answer.axis);
  request.set_max_points(options.points.value_or(DefaultPoints(options)));
  request.set_reduction(ReductionOf(options.reduce));
  for (const double q : options.quantiles) request.add_quantiles(q);
  answer.quantiles = options.quantiles;
  uint32_t attempt = 0;
  if (options.attempt == "all") {
    request.set_all_attempts(true);
  } else if (absl::SimpleAtoi(options.attempt, &attempt)) {
    request.set_attempt(attempt);
  }
  for (const std::string& text : options.derive) {
    auto derivation = ParseDerivation(text);
    if (!derivation.ok()) return derivation.status();
    *request.add_derivations() = *std::move(derivation);
  }
  auto summary = api.reader.Read(
      request, [&answer](const v1::SeriesPart& part) { answer.Add(part); });
  if (!summary.ok()) return summary.status();
  answer.summary = *std::move(summary);
  WarnOfLostRows(answer.summary);
  if (options.format == "chart") return PrintChart(answer);
  if (options.format == "csv") {
    PrintCsv(answer, std::cout);
  } else if (options.format == "json") {
    PrintJson(answer, std::cout);
  } else {
    PrintTable(answer, std::cout);
  }
  return absl::OkStatus();
}

}  // namespace

void AddQueryCommand(CLI::App& app, Session* session) {
  auto options = std::make_shared<Options>();
  CLI::App* query =
      app.add_subcommand("query", "A range of values, as points or buckets");
  query->footer(
      "Examples:\n"
      "  waterflow query --run lm_base --metric train/loss --reduce mean "
      "--format chart\n"
      "  waterflow query --run lm_base --metric train/loss --worker 3 "
      "--step-range 100:120 --points 0\n"
      "  waterflow query --run lm_base --run lm_diverge --metric train/loss "
      "--reduce default --axis relative\n"
      "  waterflow query --filter \"params.lr = '3e-4'\" --metric 'grad/*' "
      "--ranks 0-63 --reduce mean\n"
      "  waterflow query --run lm_base --metric train/loss --reduce mean "
      "--derive ema:0.9\n"
      "  waterflow query --run lm_base --metric perf/step_time_s --format csv "
      "> "
      "step_time.csv");
  AddSelectionOptions(query, &options->selection);
  query
      ->add_option("--step-range", options->step_range,
                   "Steps A to B, both included; either may be left out")
      ->type_name("A:B")
      ->check(ParsedBy(ParseStepRange));
  query
      ->add_option(
          "--time-range", options->time_range,
          "In Unix seconds; A..B with times such as 2026-11-23T22:31:07Z")
      ->type_name("A:B")
      ->check(ParsedBy(ParseTimeRange));
  query
      ->add_option("--points", options->points,
                   "At most this many buckets a series; 0: every point "
                   "[table 20, chart what fits, csv and json 0]")
      ->type_name("N");
  query
      ->add_option("--reduce", options->reduce,
                   "Combine the workers; default: as the metric says "
                   "[one series per worker]")
      ->type_name("")
      ->check(CLI::IsMember({"mean", "sum", "min", "max", "default"}));
  query
      ->add_option("--quantile", options->quantiles,
                   "With --reduce: this quantile of each bucket or step, too, "
                   "such as 0.99; may be repeated")
      ->type_name("Q")
      ->allow_extra_args(false)
      ->check(CLI::Range(0.0, 1.0).description(""));
  query
      ->add_option("--attempt", options->attempt,
                   "Only this attempt's rows, also those that a later one "
                   "hides; or all [the run as it stands]")
      ->type_name("N|all")
      ->check([](const std::string& text) -> std::string {
        uint32_t attempt = 0;
        if (text == "all" ||
            (absl::SimpleAtoi(text, &attempt) && attempt > 0)) {
          return "";
        }
        return absl::StrCat("\"", text,
                            "\" is no attempt: expected 1 or more, or all");
      });
  query
      ->add_option("--derive", options->derive,
                   "Compute: ema:WEIGHT, ema:half=N, rate[:step|:second], "
                   "cumulative, difference:A,B or ratio:A,B; may be repeated, "
                   "one behind the other")
      ->type_name("DERIVATION")
      ->allow_extra_args(false)
      ->check(ParsedBy(ParseDerivation));
  query->add_option("--axis", options->axis, "What to order and bucket by")
      ->type_name("")
      ->check(CLI::IsMember({"step", "time", "relative"}))
      ->capture_default_str();
  query->add_option("--format", options->format, "How to print it")
      ->type_name("")
      ->check(CLI::IsMember({"table", "csv", "json", "chart"}))
      ->capture_default_str();
  query->callback([=] {
    session->action = [=](Api& api) { return Query(api, *options); };
  });
}

}  // namespace waterflow::cli
