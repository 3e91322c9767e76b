// waterflowd: the server as a program. Flags in, one server, signals out.
#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <variant>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "server/flags.h"
#include "server/offline.h"
#include "server/relay/relay.h"
#include "server/server.h"
#include "server/unreadable_request.h"
#include "storage/format/keys.h"

namespace waterflow::server {
namespace {

// A value of a log line that may hold anything.
std::string Quoted(absl::string_view text) {
  return absl::StrCat("\"", absl::Utf8SafeCEscape(text), "\"");
}

// Lines of key=value on stderr; texts are quoted.
void SetUpLogging(const std::string& level) {
  auto logger = spdlog::stderr_logger_mt("waterflowd");
  logger->set_pattern("time=%Y-%m-%dT%H:%M:%S.%e%z level=%l %v");
  logger->set_level(spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
  // The libraries' own words, in the same form.
  gpr_set_log_function([](gpr_log_func_args* args) {
    const auto severity = args->severity == GPR_LOG_SEVERITY_ERROR
                              ? spdlog::level::err
                              : spdlog::level::debug;
    spdlog::log(severity, "event=grpc text={}", Quoted(args->message));
  });
  google::protobuf::SetLogHandler([](google::protobuf::LogLevel, const char*,
                                     int, const std::string& text) {
    NoteProtobufLog(text);
    spdlog::debug("event=protobuf text={}", Quoted(text));
  });
}

const char* SyncName(storage::SyncPolicy sync) {
  switch (sync) {
    case storage::SyncPolicy::kAlways:
      return "always";
    case storage::SyncPolicy::kInterval:
      return "interval";
    case storage::SyncPolicy::kOff:
      return "off";
  }
  return "";
}

// In one step, so that a script that waits for the file never reads half of it.
bool WritePortFile(const std::string& path, int port) {
  const std::string unfinished = path + ".new";
  std::ofstream(unfinished) << port << "\n";
  std::error_code error;
  std::filesystem::rename(unfinished, path, error);
  if (error) {
    spdlog::error("event=port_file path={} error={}", Quoted(path),
                  Quoted(error.message()));
  }
  return !error;
}

void LogRemovedRun(const storage::RemovedRun& run) {
  spdlog::info(
      "event=retention removed={} project={} name={} last_write={} bytes={} "
      "reason={}",
      run.id.ToHex(), Quoted(run.project), Quoted(run.name),
      absl::FormatTime(absl::FromUnixNanos(run.last_write_ns)), run.bytes,
      run.for_age ? "age" : "size");
}

// A connection takes a descriptor, and shells give a process 1,024 of them.
void AllowManyConnections() {
  rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

// Serves with a Server or a Relay.
template <typename Served>
int Serve(const Options& options, const sigset_t& stop_signals) {
  absl::StatusOr<std::unique_ptr<Served>> server = Served::Start(options);
  if (!server.ok()) {
    spdlog::error("event=start data_dir={} error={}",
                  Quoted(options.engine.data_dir),
                  Quoted(server.status().message()));
    return 1;
  }
  spdlog::info(
      "event=serving listen={} data_dir={} sync={} storage={} "
      "format={} grpc_threads={} relay={}",
      (*server)->address(), Quoted(options.engine.data_dir),
      SyncName(options.engine.sync), Quoted(storage::StorageVersion()),
      storage::kFormatVersion, options.grpc_threads,
      Quoted(options.relay_upstream));
  if (!options.port_file.empty() &&
      !WritePortFile(options.port_file, (*server)->port())) {
    return 1;
  }

  int signal_number = 0;
  sigwait(&stop_signals, &signal_number);
  spdlog::info("event=stopping signal={}", signal_number);
  // From here on a second signal has its ordinary meaning: the end, at once.
  pthread_sigmask(SIG_UNBLOCK, &stop_signals, nullptr);
  const absl::Status closed = (*server)->Shutdown();
  if (!closed.ok()) {
    spdlog::error("event=stopped error={}", Quoted(closed.message()));
    return 1;
  }
  spdlog::info("event=stopped");
  return 0;
}

int Main(int argc, char** argv) {
  // Debian's Abseil looks for deadlocks at each lock that gRPC takes; ours are
  // not its kind.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  // Before any thread starts, so that all of them inherit it: the signals wait
  // for sigwait above and interrupt nothing.
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGTERM);
  sigaddset(&stop_signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);
  signal(SIGPIPE, SIG_IGN);

  const std::variant<Options, ExitCode> parsed = ParseFlags(argc, argv);
  if (const auto* exit_code = std::get_if<ExitCode>(&parsed)) {
    return exit_code->value;
  }
  Options options = std::get<Options>(parsed);
  options.engine.on_run_removed = LogRemovedRun;
  if (options.command != Command::kServe) return RunOffline(options);
  SetUpLogging(options.log_level);
  AllowManyConnections();
  if (options.relay_upstream.empty()) {
    return Serve<Server>(options, stop_signals);
  }
  options.forward.log = [](const std::string& line) {
    spdlog::info("{}", line);
  };
  return Serve<Relay>(options, stop_signals);
}

}  // namespace
}  // namespace waterflow::server

int main(int argc, char** argv) { return waterflow::server::Main(argc, argv); }
