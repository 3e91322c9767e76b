#include "bench/target.h"

#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "bench/stop.h"
#include "waterflow/v1/admin.grpc.pb.h"
#include "waterflow/v1/tracking.grpc.pb.h"

namespace waterflow::bench {
namespace {

constexpr absl::Duration kStartTimeout = absl::Seconds(30);
constexpr std::chrono::seconds kCallTimeout(30);
constexpr std::chrono::seconds kFlushTimeout(600);

absl::Status FromGrpc(const grpc::Status& status, absl::string_view what) {
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      absl::StrCat(what, ": ", status.error_message()));
}

// 0 while the program has not said it.
int ReadPort(const std::filesystem::path& file) {
  int port = 0;
  std::ifstream(file) >> port;
  return port;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Target>> Target::Start(
    std::vector<std::string> command, const std::filesystem::path& scratch) {
  std::unique_ptr<Target> target(new Target());
  std::string folder = (scratch / "waterflow-bench-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) {
    return absl::InternalError(absl::StrCat("cannot make a folder in ",
                                            scratch.string(), ": ",
                                            std::strerror(errno)));
  }
  target->folder_ = folder;
  for (std::string& word : command) {
    word = absl::StrReplaceAll(
        word, {{"{data}", folder + "/data"}, {"{port}", folder + "/port"}});
  }
  target->command_ = std::move(command);
  const absl::Status launched = target->Launch();
  if (!launched.ok()) return launched;
  return target;
}

absl::Status Target::Launch() {
  auto child = ChildProcess::Start(command_, folder_ / "log");
  if (!child.ok()) return child.status();
  child_ = *std::move(child);
  pid_ = child_->pid();
  const absl::Time end = absl::Now() + kStartTimeout;
  int port = 0;
  while (port == 0) {
    const bool running = child_->Running();
    port = ReadPort(folder_ / "port");
    if (port != 0) break;
    if (!running || absl::Now() > end) {
      return absl::UnavailableError(
          absl::StrCat(command_[0], " did not start:\n", child_->Log()));
    }
    if (!SleepUnlessStopped(absl::Milliseconds(20))) {
      return absl::CancelledError("stopped");
    }
  }
  address_ = absl::StrCat("127.0.0.1:", port);
  Connect();
  return absl::OkStatus();
}

absl::Status Target::Restart() {
  const absl::Status stopped = Stop();
  if (!stopped.ok()) return stopped;
  std::error_code ignored;
  std::filesystem::remove(folder_ / "port", ignored);
  return Launch();
}

std::unique_ptr<Target> Target::Attach(std::string address, pid_t pid) {
  std::unique_ptr<Target> target(new Target());
  target->address_ = std::move(address);
  target->pid_ = pid;
  target->Connect();
  return target;
}

void Target::Connect() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  channel_ = grpc::CreateCustomChannel(
      address_, grpc::InsecureChannelCredentials(), arguments);
}

Target::~Target() {
  Stop().IgnoreError();
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

absl::Status Target::Stop() {
  if (child_ == nullptr) return absl::OkStatus();
  return std::exchange(child_, nullptr)->Stop();
}

absl::StatusOr<ProcessUsage> Target::Usage() {
  if (pid_ != 0) return ReadUsage(pid_);
  absl::StatusOr<v1::StatsResponse> stats = Stats();
  if (!stats.ok()) return stats.status();
  return ProcessUsage{
      .cpu_seconds = static_cast<double>(stats->cpu_ns()) * 1e-9,
      .resident_bytes = stats->resident_bytes(),
      // All that it tells.
      .peak_resident_bytes = stats->resident_bytes()};
}

absl::StatusOr<v1::StatsResponse> Target::Stats() {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
  v1::StatsResponse response;
  const absl::Status status = FromGrpc(
      v1::Admin::NewStub(channel_)->Stats(&context, {}, &response), "stats");
  if (!status.ok()) return status;
  return response;
}

absl::Status Target::Flush() {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kFlushTimeout);
  v1::FlushResponse response;
  return FromGrpc(v1::Admin::NewStub(channel_)->Flush(&context, {}, &response),
                  "flush");
}

absl::StatusOr<std::string> Target::CreateRun(const std::string& name) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
  v1::CreateRunRequest request;
  request.set_project("bench");
  request.set_name(name);
  v1::CreateRunResponse response;
  const absl::Status status = FromGrpc(
      v1::Tracking::NewStub(channel_)->CreateRun(&context, request, &response),
      "create run");
  if (!status.ok()) return status;
  return response.run().id();
}

uint64_t FolderBytes(const std::filesystem::path& folder) {
  uint64_t bytes = 0;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(folder, error)) {
    struct stat file {};
    if (lstat(entry.path().c_str(), &file) == 0) {
      bytes += static_cast<uint64_t>(file.st_blocks) * 512;
    }
  }
  return bytes;
}

std::vector<std::string> WaterflowdCommand(
    const std::filesystem::path& waterflowd, const std::string& sync,
    uint32_t threads, const std::vector<std::string>& flags) {
  std::vector<std::string> command = {
      waterflowd.string(),    "--data-dir={data}",
      "--listen=127.0.0.1:0", "--port-file={port}",
      "--sync=" + sync,       absl::StrCat("--grpc-threads=", threads)};
  command.insert(command.end(), flags.begin(), flags.end());
  return command;
}

uint64_t DiskBytes(const v1::StatsResponse& stats) {
  return stats.sst_bytes() + stats.wal_bytes() + stats.manifest_bytes();
}

}  // namespace waterflow::bench
