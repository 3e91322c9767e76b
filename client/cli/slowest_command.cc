// waterflow slowest: which workers hold up the others.
#include <iostream>
#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/commands.h"
#include "client/cli/format.h"
#include "client/cli/select.h"
#include "client/cli/table.h"

namespace waterflow::cli {
namespace {

struct Options {
  std::string run;
  std::string step_range;
  uint32_t limit = 10;
};

absl::Status Slowest(Api& api, const Options& options) {
  auto run = FindRun(api, options.run);
  if (!run.ok()) return run.status();
  v1::StragglersRequest request;
  request.set_run_id(run->id());
  request.set_limit(options.limit);
  if (!options.step_range.empty()) {
    auto range = ParseStepRange(options.step_range);
    if (!range.ok()) return range.status();
    *request.mutable_step_range() = *range;
  }
  auto found = Call(*api.query, &v1::Query::Stub::Stragglers, request);
  if (!found.ok()) return found.status();
  if (found->workers().empty()) {
    return absl::NotFoundError(absl::StrCat(
        "run ", run->name(), " has too few rows to compare its workers"));
  }
  const std::string unit = found->unit().empty() ? "" : " " + found->unit();
  Table table({">worker", ">mean", ">max", ">slowest of the step"});
  for (const v1::Straggler& straggler : found->workers()) {
    table.Add(
        {WorkerText(straggler.worker()), ShortValue(straggler.mean()) + unit,
         ShortValue(straggler.max()) + unit,
         absl::StrFormat(
             "%.1f %%", 100.0 * static_cast<double>(straggler.slowest_steps()) /
                            static_cast<double>(found->step_count()))});
  }
  table.Print(std::cout);
  const v1::Straggler& first = found->workers(0);
  std::cout << "slowest of " << WithCommas(found->worker_count()) << ": worker "
            << WorkerText(first.worker()) << ", " << ShortValue(first.mean())
            << unit << " on average";
  if (found->worker_count() > 1 && found->median() > 0) {
    std::cout << absl::StrFormat(", %.2f %% over the median",
                                 100 * (first.mean() / found->median() - 1));
  }
  std::cout << " (by "
            << (found->metric().empty() ? "the time between rows"
                                        : found->metric())
            << ")\n";
  return absl::OkStatus();
}

}  // namespace

void AddSlowestCommand(CLI::App& app, Session* session) {
  CLI::App* slowest = app.add_subcommand(
      "slowest", "Which workers of a run are the slowest, and how often");
  slowest->footer(
      "By the metric whose role is step_time; without one, by the time between "
      "rows.\n\nExamples:\n"
      "  waterflow slowest --run lm_base\n"
      "  waterflow slowest --run lm_base --step-range 1000: --limit 3");
  auto options = std::make_shared<Options>();
  slowest
      ->add_option("RUN,--run", options->run, "Id, first digits of it, or name")
      ->type_name("")
      ->required();
  slowest
      ->add_option("--step-range", options->step_range,
                   "Steps A to B, both included; either may be left out")
      ->type_name("A:B")
      ->check(ParsedBy(ParseStepRange));
  slowest->add_option("--limit", options->limit, "At most so many workers")
      ->type_name("N")
      ->check(CLI::Range(1u, 10000u).description(""))
      ->capture_default_str();
  slowest->callback([=] {
    session->action = [=](Api& api) { return Slowest(api, *options); };
  });
}

}  // namespace waterflow::cli
