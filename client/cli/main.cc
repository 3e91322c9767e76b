// waterflow: the command line.
#include <exception>
#include <iostream>
#include <string>

#include "CLI/CLI.hpp"
#include "client/cli/api.h"
#include "client/cli/commands.h"

namespace waterflow::cli {
namespace {

constexpr char kExamples[] = R"(Examples:
  waterflow run list
  waterflow query --run lm_base --metric train/loss --reduce mean --format chart
  waterflow query --run lm_base --metric train/loss --worker 3 --step-range 100:200
  waterflow tail --run lm_base --metric train/loss --last 10
  waterflow workers --run lm_base --metric train/loss
  waterflow import --format trace examples/trace --speed 20
  waterflow export --format csv --run lm_base lm_base.csv

A run is named by its id, by the first digits of its id, or by its name; each must
be unique. Exit codes: 0 done, 1 the server or a file said no, 2 wrong usage.)";

// One line, whatever the server wrote.
std::string OneLine(absl::string_view text) {
  std::string line(text);
  for (char& c : line) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return line;
}

int Main(int argc, char** argv) {
  CLI::App app("Waterflow: training metrics in, charts and tables out.");
  app.footer(kExamples);
  app.require_subcommand(1);
  app.fallthrough();
  std::string server = "127.0.0.1:7070";
  app.set_version_flag("--version", "waterflow " WATERFLOW_VERSION);
  app.add_option("--server", server, "The server")
      ->type_name("HOST:PORT")
      ->envname("WATERFLOW_SERVER")
      ->capture_default_str();
  Session session;
  AddRunCommand(app, &session);
  AddProjectCommand(app, &session);
  AddMetricCommand(app, &session);
  AddWorkersCommand(app, &session);
  AddBandsCommand(app, &session);
  AddRankCommand(app, &session);
  AddSlowestCommand(app, &session);
  AddMissingCommand(app, &session);
  AddQueryCommand(app, &session);
  AddTailCommand(app, &session);
  AddImportCommand(app, &session);
  AddExportCommand(app, &session);
  AddFlushCommand(app, &session);
  AddStatsCommand(app, &session);
  AddBackupCommand(app, &session);
  AddVerifyCommand(app, &session);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  Api api(server);
  const absl::Status status = session.action(api);
  std::cout.flush();
  if (status.ok()) return 0;
  std::cerr << "waterflow: " << absl::StatusCodeToString(status.code()) << ": "
            << OneLine(status.message());
  if (status.code() == absl::StatusCode::kUnavailable) {
    std::cerr << " (is waterflowd running at " << server << "?)";
  }
  std::cerr << std::endl;
  return 1;
}

}  // namespace
}  // namespace waterflow::cli

int main(int argc, char** argv) {
  try {
    return waterflow::cli::Main(argc, argv);
  } catch (const std::exception& e) {
    std::cerr << "waterflow: " << e.what() << std::endl;
    return 1;
  }
}
