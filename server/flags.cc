#include "server/flags.h"

#include <google/protobuf/stubs/common.h>
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/version.h"
#include "storage/format/keys.h"
#include "storage/model/limits.h"

namespace waterflow::server {
namespace {

constexpr char kDescription[] =
    "The Waterflow server: training metrics in over gRPC, every value kept bit "
    "for bit, ranges and curves out.";

constexpr char kFooter[] =
    "Each option can also be set by its variable or in the file of --config, "
    "one a line:\n"
    "  listen = \"0.0.0.0:7070\"\n"
    "  sync = \"interval=10ms\"\n"
    "SIGTERM or SIGINT: streams are drained, what is durable is acked, and the "
    "program exits with 0; a second signal ends it at once.";

absl::Duration ParseDuration(const std::string& text) {
  absl::Duration duration;
  if (!absl::ParseDuration(text, &duration) ||
      duration < absl::ZeroDuration()) {
    throw CLI::ValidationError(absl::StrCat(
        "\"", text, "\" is not a duration such as 10ms, 5s or 2m"));
  }
  return duration;
}

void ParseSync(absl::string_view text, storage::EngineOptions* options) {
  if (text == "always") {
    options->sync = storage::SyncPolicy::kAlways;
  } else if (text == "off") {
    options->sync = storage::SyncPolicy::kOff;
  } else if (absl::ConsumePrefix(&text, "interval=")) {
    options->sync = storage::SyncPolicy::kInterval;
    options->sync_interval = ParseDuration(std::string(text));
  } else {
    throw CLI::ValidationError(absl::StrCat(
        "\"", text, "\" is none of always, interval=DURATION, off"));
  }
}

// CLI11's form of a check: what is wrong, or nothing.
std::string CheckAddress(const std::string& text) {
  const size_t colon = text.rfind(':');
  uint32_t port = 0;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(text.substr(colon + 1), &port) || port == 0 ||
      port > 65535) {
    return absl::StrCat("\"", text, "\" is not HOST:PORT");
  }
  return "";
}

// What only the server that stores runs can do.
void CheckRelayFlags(const CLI::App& app, const Options& options) {
  if (options.relay_upstream.empty()) return;
  if (options.command != Command::kServe) {
    throw CLI::ValidationError("--relay", "is for serving alone");
  }
  for (const char* flag : {"--seal-age", "--retention-age", "--retention-bytes",
                           "--max-rows-per-second", "--max-workers-per-run"}) {
    if (app.count(flag) > 0) {
      throw CLI::ValidationError(
          flag,
          "is for the server that a relay hands rows to, not for --relay");
    }
  }
}

// Prints on one line each what could matter in a report of a fault.
std::string VersionText() {
  return absl::StrCat(
      kServerVersion, "\n", storage::StorageVersion(), ", format on disk ",
      storage::kFormatVersion, "\ngRPC ", grpc::Version(), ", protobuf ",
      google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION));
}

void AddDuration(CLI::App* app, const std::string& flag,
                 const std::string& variable, absl::Duration* target,
                 const std::string& description) {
  app->add_option_function<std::string>(
         flag,
         [target](const std::string& text) { *target = ParseDuration(text); },
         description)
      ->type_name("DURATION")
      ->default_str(absl::FormatDuration(*target))
      ->envname(variable);
}

void AddSize(CLI::App* app, const std::string& flag,
             const std::string& variable, uint64_t* target,
             const std::string& description) {
  app->add_option(flag, *target, description)
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/false).description(""))
      ->type_name("BYTES[K|M|G]")
      ->default_str(absl::StrCat(*target >> 20, "M"))
      ->envname(variable);
}

void AddOptions(CLI::App* app, Options* options) {
  storage::EngineOptions& engine = options->engine;
  app->add_option("--data-dir", engine.data_dir,
                  "Folder of the store, made when missing; one process at a "
                  "time")
      ->type_name("DIR")
      ->capture_default_str()
      ->envname("WATERFLOW_DATA_DIR");
  app->add_option("--listen", options->listen,
                  "Address to serve on; port 0 takes a free one. There is no "
                  "authentication: open it to networks that you trust")
      ->type_name("HOST:PORT")
      ->capture_default_str()
      ->envname("WATERFLOW_LISTEN");
  app->add_option("--port-file", options->port_file,
                  "Writes the bound port to this file once the server serves")
      ->type_name("FILE")
      ->envname("WATERFLOW_PORT_FILE");
  app->add_option_function<std::string>(
         "--sync",
         [&engine](const std::string& text) { ParseSync(text, &engine); },
         "When a batch is acked: always (after the sync of its group), "
         "interval=DURATION (after the sync that runs this often), off (after "
         "the write; a power cut may lose it)")
      ->type_name("always|interval=DURATION|off")
      ->default_str("always")
      ->envname("WATERFLOW_SYNC");
  AddDuration(
      app, "--gather", "WATERFLOW_GATHER", &engine.gather,
      "A group of batches commits when it is this old (at once while few "
      "workers write) ...");
  AddSize(app, "--group-bytes", "WATERFLOW_GROUP_BYTES", &engine.group_bytes,
          "... or this large");
  AddSize(app, "--memory-limit", "WATERFLOW_MEMORY_LIMIT",
          &engine.memory_limit_bytes,
          "Memory of the store: up to 1/4 holds rows that are not sealed, 1/2 "
          "the log, the rest caches. Default: a quarter of the machine, or of "
          "the control group's limit");
  AddSize(app, "--query-memory", "WATERFLOW_QUERY_MEMORY",
          &engine.query_memory_bytes,
          "What a query may hold while it is answered; one that takes more is "
          "refused");
  AddDuration(app, "--seal-age", "WATERFLOW_SEAL_AGE", &engine.seal_age,
              "Rows are sealed into a generation at this age at the latest");
  app->add_option("--disk-reserve", engine.disk_reserve_bytes,
                  "Rows are refused while less than this is free on the disk; "
                  "reads, deletes and retention go on. Default: 1G, or a "
                  "twentieth of the disk if that is less")
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/false).description(""))
      ->type_name("BYTES[K|M|G]")
      ->envname("WATERFLOW_DISK_RESERVE");
  AddDuration(app, "--retention-age", "WATERFLOW_RETENTION_AGE",
              &engine.retention_age,
              "Runs that ended are deleted this long after their last write, "
              "unless their project says otherwise; 0: never");
  AddSize(app, "--retention-bytes", "WATERFLOW_RETENTION_BYTES",
          &engine.retention_bytes,
          "While files take more than this, the runs that ended first are "
          "deleted; 0: no limit");
  app->add_option("--max-rows-per-second", engine.max_rows_per_second,
                  "Rows that all streams together may log in a second: above "
                  "it they are read more slowly; 0: no limit. Projects may "
                  "have one of their own")
      ->type_name("N")
      ->capture_default_str()
      ->envname("WATERFLOW_MAX_ROWS_PER_SECOND");
  app->add_option("--max-workers-per-run", engine.max_workers_per_run,
                  "A run takes no more workers than this")
      ->check(CLI::Range(1u, storage::kMaxRank))
      ->capture_default_str()
      ->envname("WATERFLOW_MAX_WORKERS_PER_RUN");
  app->add_option("--max-streams", options->max_streams,
                  "Streams that may be open at once")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->envname("WATERFLOW_MAX_STREAMS");
  app->add_option("--grpc-threads", options->grpc_threads,
                  "Threads that receive streams")
      ->check(CLI::Range(1, 256))
      ->capture_default_str()
      ->envname("WATERFLOW_GRPC_THREADS");
  app->add_option(
         "--relay", options->relay_upstream,
         "Serves as a relay of the server at this address: streams are "
         "acked once they are durable in --data-dir and then handed on, "
         "all other calls go through. One a node")
      ->check(CheckAddress)
      ->type_name("HOST:PORT")
      ->envname("WATERFLOW_RELAY");
  AddSize(app, "--relay-disk", "WATERFLOW_RELAY_DISK",
          &options->relay_disk_bytes,
          "A relay takes no rows while so much waits for its server");
  AddDuration(app, "--drain-grace", "WATERFLOW_DRAIN_GRACE",
              &options->drain_grace,
              "How long a stopping server waits for streams to end");
  app->add_option("--log-level", options->log_level, "What goes to stderr")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}))
      ->type_name("LEVEL")
      ->capture_default_str()
      ->envname("WATERFLOW_LOG_LEVEL");
}

void AddCommands(CLI::App* app, Options* options) {
  app->require_subcommand(0, 1);
  app->fallthrough();  // so that they take --data-dir behind their name
  app->add_subcommand(
         "verify",
         "Instead of serving: reads all of a data directory that no server has "
         "open, changes nothing, prints a line for each problem; exit code 1 "
         "when there is one")
      ->callback([options] { options->command = Command::kVerify; });
  app->add_subcommand(
         "dump",
         "Instead of serving: writes every key and value of a data directory "
         "to standard output, for a reader of docs/format.md that has no "
         "RocksDB: family, key and value, each as 4 bytes of length "
         "(little-endian) and so many bytes")
      ->callback([options] { options->command = Command::kDump; });
  CLI::App* restore = app->add_subcommand(
      "restore",
      "Instead of serving: makes a data directory of a backup, compares every "
      "checksum, and verifies it; --data-dir must be missing or empty");
  restore->callback([options] { options->command = Command::kRestore; });
  restore
      ->add_option("--from", options->restore_from,
                   "Folder of backups, as given to waterflow backup")
      ->type_name("DIR")
      ->required();
  restore
      ->add_option("--backup", options->restore_id,
                   "Which backup; 0: the newest")
      ->type_name("N")
      ->capture_default_str();
}

// CLI11 itself would let the file win over the variables: it asks for them
// last. A value that is there before the command line is read makes it right,
// as of several the last one counts.
void ReadVariables(CLI::App* app) {
  for (CLI::Option* option : app->get_options()) {
    if (option->get_envname().empty() || option == app->get_config_ptr()) {
      continue;
    }
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    if (const char* value = std::getenv(option->get_envname().c_str())) {
      option->add_result(value);
    }
  }
}

}  // namespace

std::variant<Options, ExitCode> ParseFlags(int argc, const char* const* argv) {
  Options options;
  CLI::App app(kDescription, "waterflowd");
  app.footer(kFooter);
  app.set_version_flag("--version", VersionText, "Print versions and exit");
  app.set_config("--config", "", "Reads options from this file")
      ->type_name("FILE")
      ->envname("WATERFLOW_CONFIG");
  AddOptions(&app, &options);
  AddCommands(&app, &options);
  ReadVariables(&app);
  try {
    app.parse(argc, argv);
    CheckRelayFlags(app, options);
  } catch (const CLI::ParseError& error) {
    return ExitCode{app.exit(error)};
  }
  return options;
}

}  // namespace waterflow::server
