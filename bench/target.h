// What a load is aimed at: a server or sink that we start in a process of its
// own on an ephemeral port and an empty folder, or a server that already runs.
#ifndef WATERFLOW_BENCH_TARGET_H_
#define WATERFLOW_BENCH_TARGET_H_

#include <grpcpp/channel.h>
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/process.h"
#include "waterflow/v1/admin.pb.h"

namespace waterflow::bench {

class Target {
 public:
  // Starts `command` with a fresh folder under `scratch`. In its words "{data}"
  // stands for a place in it for the store, and "{port}" for the file in which
  // the program leaves the port on loopback once it serves.
  static absl::StatusOr<std::unique_ptr<Target>> Start(
      std::vector<std::string> command, const std::filesystem::path& scratch);
  // A server that somebody else started. pid 0: it is asked what it costs.
  static std::unique_ptr<Target> Attach(std::string address, pid_t pid);
  // Ends the process, if it is ours, and removes its folder.
  ~Target();

  const std::string& address() const { return address_; }
  pid_t pid() const { return pid_; }
  bool own() const { return child_ != nullptr; }
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

  absl::StatusOr<ProcessUsage> Usage();
  absl::StatusOr<v1::StatsResponse> Stats();
  // Everything into generations; takes as long as it takes.
  absl::Status Flush();
  // Returns its id.
  absl::StatusOr<std::string> CreateRun(const std::string& name);
  // Ends a process of ours in good order.
  absl::Status Stop();
  // ... and starts it again on what it has left, on another port.
  absl::Status Restart();
  // Of ours; what the process keeps its store in.
  std::filesystem::path data() const { return folder_ / "data"; }

 private:
  Target() = default;
  absl::Status Launch();
  void Connect();

  std::string address_;
  pid_t pid_ = 0;
  std::filesystem::path folder_;
  std::vector<std::string> command_;
  std::unique_ptr<ChildProcess> child_;
  std::shared_ptr<grpc::Channel> channel_;
};

// How waterflowd is started for Target::Start, with `flags` behind ours.
std::vector<std::string> WaterflowdCommand(
    const std::filesystem::path& waterflowd, const std::string& sync,
    uint32_t threads, const std::vector<std::string>& flags);

// Bytes on disk as docs/design.md counts them: live SST files, write-ahead log
// and manifest.
uint64_t DiskBytes(const v1::StatsResponse& stats);

// Of all files in a folder and below, as `du` counts them.
uint64_t FolderBytes(const std::filesystem::path& folder);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_TARGET_H_
