// waterflow import
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/format.h"
#include "client/cli/progress.h"
#include "client/cli/table.h"
#include "client/cli/trace.h"
#include "client/cli/trace_import.h"
#include "client/cli/trace_plan.h"

namespace waterflow::cli {
namespace {

struct Options {
  std::string format = "trace";
  std::string path;
  std::string project;
  std::vector<std::string> runs;
  ImportOptions import;
};

// The folder's own name.
std::string ProjectOf(const Options& options) {
  if (!options.project.empty()) return options.project;
  std::string path = std::filesystem::absolute(options.path).lexically_normal();
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const std::string name = std::filesystem::path(path).filename();
  return name.empty() ? "trace" : name;
}

absl::Status Import(Api& api, const Options& options) {
  auto trace = ReadTrace(options.path);
  if (!trace.ok()) return trace.status();
  auto plans = PlanImport(*trace, ProjectOf(options), options.runs);
  if (!plans.ok()) return plans.status();
  uint64_t rows = 0;
  for (const RunPlan& plan : *plans) rows += plan.rows;

  absl::StatusOr<std::vector<ImportedRun>> imported;
  {
    ProgressCounts counts;
    std::optional<Progress> progress;
    // Nothing to show before the server is known to be there.
    if (auto stats = Call(*api.admin, &v1::Admin::Stub::Stats, {});
        !stats.ok()) {
      return stats.status();
    }
    progress.emplace(&counts, rows);
    imported = ImportTrace(api, *trace, *plans, options.import, &counts);
  }
  if (!imported.ok()) return imported.status();
  Table table({"run", "name", ">workers", ">rows", ">samples", ""});
  for (size_t i = 0; i < plans->size(); ++i) {
    const ImportedRun& run = (*imported)[i];
    std::string note;
    if (run.rows > 0 && run.rows_already_there == run.rows) {
      note = "already there";
    } else if (run.rows_already_there > 0) {
      note = absl::StrCat(WithCommas(run.rows_already_there),
                          " rows were already there");
    }
    table.Add({ShortId(run.id), (*plans)[i].name,
               WithCommas((*plans)[i].streams.size()), WithCommas(run.rows),
               WithCommas((*plans)[i].samples), note});
  }
  table.Print(std::cout);
  return absl::OkStatus();
}

}  // namespace

void AddImportCommand(CLI::App& app, Session* session) {
  auto options = std::make_shared<Options>();
  CLI::App* import = app.add_subcommand(
      "import", "Stream recorded telemetry in, one stream per worker");
  import->footer(
      "Importing the same folder again adds nothing and says so; an import "
      "that "
      "was cut off is\ncompleted by the next one.\n\n"
      "Examples:\n"
      "  waterflow import --format trace examples/trace\n"
      "  waterflow import --format trace examples/trace --run lm_base --speed "
      "20");
  import->add_option("PATH", options->path, "Folder of the trace")
      ->type_name("")
      ->required();
  import->add_option("--format", options->format, "What the folder holds")
      ->type_name("")
      ->check(CLI::IsMember({"trace"}))
      ->capture_default_str();
  import
      ->add_option("--run", options->runs,
                   "Only this run of the folder; may be repeated")
      ->type_name("NAME")
      ->allow_extra_args(false);
  import
      ->add_option("--project", options->project,
                   "Where the runs go [the folder's name]")
      ->type_name("NAME");
  import
      ->add_option("--speed", options->import.speed,
                   "How many times real time to replay; 0: as fast as it goes")
      ->type_name("N")
      ->check(CLI::Validator(CLI::NonNegativeNumber).description(""))
      ->capture_default_str();
  import
      ->add_option("--streams", options->import.streams,
                   "Most streams that are open at once")
      ->type_name("N")
      ->check(CLI::Range(1, 4096).description(""))
      ->capture_default_str();
  import->callback([=] {
    session->action = [=](Api& api) { return Import(api, *options);
};
}  // namespace waterflow::cli
);
}

}  // namespace waterflow::cli
