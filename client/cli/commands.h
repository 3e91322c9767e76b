// The subcommands. Each adds itself to the command line and, when it is the one
// that was typed, leaves what is to be done in Session::action.
#ifndef WATERFLOW_CLIENT_CLI_COMMANDS_H_
#define WATERFLOW_CLIENT_CLI_COMMANDS_H_

#include <functional>

#include "absl/status/status.h"
#include "client/cli/api.h"

namespace CLI {
class App;
}

namespace waterflow::cli {

// What the command line was understood to mean.
struct Session {
  std::function<absl::Status(Api&)> action;
};

void AddProjectCommand(CLI::App& app, Session* session);
void AddRunCommand(CLI::App& app, Session* session);
void AddRunTableCommand(CLI::App& run, Session* session);  // below `run`
void AddMetricCommand(CLI::App& app, Session* session);
void AddQueryCommand(CLI::App& app, Session* session);
void AddTailCommand(CLI::App& app, Session* session);
void AddWorkersCommand(CLI::App& app, Session* session);
void AddBandsCommand(CLI::App& app, Session* session);
void AddRankCommand(CLI::App& app, Session* session);
void AddMissingCommand(CLI::App& app, Session* session);
void AddSlowestCommand(CLI::App& app, Session* session);
void AddImportCommand(CLI::App& app, Session* session);
void AddExportCommand(CLI::App& app, Session* session);
void AddFlushCommand(CLI::App& app, Session* session);
void AddStatsCommand(CLI::App& app, Session* session);
void AddBackupCommand(CLI::App& app, Session* session);
void AddVerifyCommand(CLI::App& app, Session* session);

}  // namespace waterflow::cli

#endif  // WATERFLOW_CLIENT_CLI_COMMANDS_H_
