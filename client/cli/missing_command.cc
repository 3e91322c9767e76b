// waterflow missing: which workers have not come as far as a step.
#include <cstdint>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/format.h"
#include "client/cli/select.h"
#include "client/cli/table.h"

namespace waterflow::cli {
namespace {

absl::Status Missing(Api& api, const std::string& name,
                     std::optional<int64_t> step) {
  auto run = FindRun(api, name);
  if (!run.ok()) return run.status();
  v1::MissingRequest request;
  request.set_run_id(run->id());
  if (step.has_value()) request.set_step(*step);
  auto missing = Call(*api.query, &v1::Query::Stub::Missing, request);
  if (!missing.ok()) return missing.status();
  if (!missing->workers().empty()) {
    Table table({">worker", ">last step", "last seen"});
    for (const v1::MissingWorker& worker : missing->workers()) {
      table.Add({WorkerText(worker.worker()),
                 worker.has_last_step() ? absl::StrCat(worker.last_step()) : "",
                 LocalTime(worker.last_seen_ns())});
    }
    table.Print(std::cout);
  }
  std::cout << WithCommas(missing->workers_size()) << " of "
            << WithCommas(missing->worker_count())
            << " workers have not reported step " << missing->step() << '\n';
  return absl::OkStatus();
}

}  // namespace

void AddMissingCommand(CLI::App& app, Session* session) {
  struct Options {
    std::string run;
    std::optional<int64_t> step;
  };
  auto options = std::make_shared<Options>();
  CLI::App* missing = app.add_subcommand(
      "missing", "Which workers have not come as far as a step");
  missing->footer(
      "Examples:\n"
      "  waterflow missing --run lm_base\n"
      "  waterflow missing --run lm_base --step 1200");
  missing
      ->add_option("RUN,--run", options->run, "Id, first digits of it, or name")
      ->type_name("")
      ->required();
  missing
      ->add_option("--step", options->step,
                   "The step [the greatest that any worker has]")
      ->type_name("N");
  missing->callback([=] {
    session->action = [=](Api& api) {
      return Missing(api, options->run, options->step);
    };
  });
}

}  // namespace waterflow::cli
