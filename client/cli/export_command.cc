// waterflow export
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/format.h"
#include "client/cli/query_output.h"
#include "client/cli/select.h"
#include "client/cli/trace.h"
#include "client/cli/trace_export.h"

namespace waterflow::cli {
namespace {

struct Options {
  std::string format = "trace";
  std::string path;
  std::string project;
  std::vector<std::string> runs;
};

absl::Status ExportTrace(Api& api, const Options& options,
                         std::vector<v1::Run> runs) {
  const size_t run_count = runs.size();
  auto trace = CollectTrace(api, std::move(runs));
  if (!trace.ok()) return trace.status();
  if (absl::Status status = WriteTrace(options.path, *trace); !status.ok()) {
    return status;
  }
  std::cout << "wrote " << WithCommas(trace->values.size()) << " samples in "
            << WithCommas(trace->series.size()) << " series of "
            << WithCommas(run_count) << " runs to " << options.path << '\n';
  return absl::OkStatus();
}

absl::Status WriteCsv(Api& api, const std::vector<v1::Run>& runs,
                      std::ostream& out) {
  bool first = true;
  for (const v1::Run& run : runs) {
    absl::Status status =
        ReadWholeRun(api, run, [&](const v1::SeriesPart& part) {
          Answer answer;
          answer.run_names[run.id()] = run.name();
          answer.Add(part);
          PrintCsvPoints(answer, first, out);
          first = false;
        });
    if (!status.ok()) return status;
  }
  out.flush();
  if (!out) return absl::UnknownError("cannot write the file");
  return absl::OkStatus();
}

absl::Status Export(Api& api, const Options& options) {
  auto runs = options.runs.empty() ? AllRuns(api, options.project)
                                   : FindRuns(api, options.runs);
  if (!runs.ok()) return runs.status();
  if (runs->empty()) return absl::NotFoundError("there are no runs to export");
  // Oldest first, as they came.
  if (options.runs.empty()) std::reverse(runs->begin(), runs->end());
  if (options.format == "trace") {
    return ExportTrace(api, options, *std::move(runs));
  }
  if (options.path == "-") return WriteCsv(api, *runs, std::cout);
  if (std::filesystem::exists(options.path)) {
    return absl::AlreadyExistsError(absl::StrCat(options.path, " exists"));
  }
  std::ofstream file(options.path);
  return WriteCsv(api, *runs, file);
}

}  // namespace

void AddExportCommand(CLI::App& app, Session* session) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "export", "Every point of runs, bit for bit, into files");
  command->footer(
      "Examples:\n"
      "  waterflow export --format trace /tmp/trace-again\n"
      "  waterflow export --format csv --run lm_base lm_base.csv\n"
      "  waterflow export --format csv --run lm_base - | head");
  command
      ->add_option(
          "PATH", options->path,
          "Folder of the trace, or file of the csv (-: standard output)")
      ->type_name("")
      ->required();
  command->add_option("--format", options->format, "What to write")
      ->type_name("")
      ->check(CLI::IsMember({"trace", "csv"}))
      ->capture_default_str();
  command
      ->add_option("--run", options->runs,
                   "Id, first digits of it, or name; may be repeated "
                   "[all runs]")
      ->type_name("RUN")
      ->allow_extra_args(false);
  command
      ->add_option("--project", options->project,
                   "Only the runs of this project")
      ->type_name("NAME");
  command->callback([=] {
    session->action = [=](Api& api) { return Export(api, *options); };
  });
}

}  // namespace waterflow::cli
