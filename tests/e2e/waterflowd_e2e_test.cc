// The program itself, as a process of its own: its flags, its signals, its lock
// on the data directory.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "tests/e2e/server_fixture.h"
#include "tests/e2e/stream_client.h"
#include "waterflow/v1/query.grpc.pb.h"
#include "waterflow/v1/tracking.grpc.pb.h"

extern char** environ;

namespace waterflow::testing {
namespace {

using ::testing::HasSubstr;

std::string ReadFile(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// One waterflowd with its output in a file. Killed if it still runs at the end.
class Process {
 public:
  Process(std::vector<std::string> arguments, std::string output_path)
      : output_path_(std::move(output_path)) {
    arguments.insert(arguments.begin(), WATERFLOWD);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, output_path_.c_str(),
                                     O_CREAT | O_WRONLY | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    EXPECT_EQ(
        posix_spawn(&pid_, WATERFLOWD, &actions, nullptr, argv.data(), environ),
        0);
    posix_spawn_file_actions_destroy(&actions);
  }
  ~Process() {
    if (running_) {
      kill(pid_, SIGKILL);
      Wait();
    }
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void Signal(int number) const { kill(pid_, number); }

  // Its exit code; minus the signal that ended it.
  int Wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    running_ = false;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  // False once it has ended (and was waited for).
  bool IsRunning() {
    int status = 0;
    if (running_ && waitpid(pid_, &status, WNOHANG) == pid_) running_ = false;
    return running_;
  }

  std::string output() const { return ReadFile(output_path_); }

 private:
  const std::string output_path_;
  pid_t pid_ = 0;
  bool running_ = true;
};

class WaterflowdTest : public ::testing::Test {
 protected:
  std::unique_ptr<Process> Run(std::vector<std::string> arguments) {
    return std::make_unique<Process>(
        std::move(arguments), absl::StrCat(dir_.path(), "/output", ++started_));
  }

  std::unique_ptr<Process> StartServing() {
    const std::string port_file = dir_.path() + "/port";
    std::filesystem::remove(port_file);
    auto process = Run({"--data-dir", dir_.path() + "/data", "--listen",
                        "127.0.0.1:0", "--port-file", port_file});
    while (!std::filesystem::exists(port_file) && process->IsRunning()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    address_ = absl::StrCat("127.0.0.1:",
                            absl::StripAsciiWhitespace(ReadFile(port_file)));
    channel_ =
        grpc::CreateChannel(address_, grpc::InsecureChannelCredentials());
    return process;
  }

  std::string CreateRun() {
    grpc::ClientContext context;
    v1::CreateRunResponse response;
    const grpc::Status status =
        v1::Tracking::NewStub(channel_)->CreateRun(&context, {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.run().id();
  }

  TempDir dir_;
  int started_ = 0;
  std::string address_;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(WaterflowdTest, HelpNamesEveryFlagAndVariable) {
  const auto process = Run({"--help"});
  EXPECT_EQ(process->Wait(), 0);
  for (const char* flag :
       {"DATA_DIR", "LISTEN", "SYNC", "GRPC_THREADS", "MEMORY_LIMIT",
        "SEAL_AGE", "GATHER", "GROUP_BYTES", "DISK_RESERVE", "RETENTION_AGE",
        "RETENTION_BYTES", "LOG_LEVEL", "PORT_FILE", "CONFIG", "DRAIN_GRACE"}) {
    std::string dashed = absl::StrCat("--", flag);
    for (char& c : dashed) c = c == '_' ? '-' : static_cast<char>(tolower(c));
    EXPECT_THAT(process->output(), HasSubstr(dashed));
    EXPECT_THAT(process->output(), HasSubstr(absl::StrCat("WATERFLOW_", flag)));
  }
}

TEST_F(WaterflowdTest, VersionNamesWhatItIsMadeOf) {
  const auto process = Run({"--version"});
  EXPECT_EQ(process->Wait(), 0);
  for (const char* part : {"waterflowd ", "RocksDB ", "assertions ", "crc32c",
                           "format on disk ", "gRPC ", "protobuf "}) {
    EXPECT_THAT(process->output(), HasSubstr(part));
  }
}

TEST_F(WaterflowdTest, MistakeInAFlagIsExplained) {
  const auto process = Run({"--sync=sometimes"});
  EXPECT_NE(process->Wait(), 0);
  EXPECT_THAT(process->output(), HasSubstr("sometimes"));
}

TEST_F(WaterflowdTest, SigtermDrainsAcksAndExitsWithZero) {
  for (const int signal : {SIGTERM, SIGINT}) {
    const auto process = StartServing();
    const std::string run = CreateRun();
    StreamClient client(channel_);
    v1::Open open;
    open.set_run_id(run);
    open.set_stream_id(std::string(16, 's'));
    ASSERT_TRUE(client.SendOpen(open));
    ASSERT_TRUE(client.Receive().value().has_opened());
    ASSERT_TRUE(client.SendSchema(0, {"a"}));
    ASSERT_TRUE(client.SendBatch(DenseBatch(0, 0, {{1}})));
    ASSERT_TRUE(client.ReceiveAck(0, 1));
    process->Signal(signal);
    const grpc::Status status = client.Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_EQ(status.error_message(), "server is stopping");
    EXPECT_EQ(process->Wait(), 0) << process->output();
    EXPECT_THAT(process->output(), HasSubstr("event=serving"));
    EXPECT_THAT(process->output(), HasSubstr("event=stopped"));
  }
}

TEST_F(WaterflowdTest, TextThatIsNotUtf8IsRefusedByItsFieldsName) {
  const auto process = StartServing();
  {
    grpc::ClientContext context;
    v1::CreateRunRequest request;
    v1::CreateRunResponse response;
    request.set_name("caf\xe9");
    const grpc::Status status = v1::Tracking::NewStub(channel_)->CreateRun(
        &context, request, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(),
                HasSubstr("waterflow.v1.CreateRunRequest.name"));
    EXPECT_THAT(status.error_message(), HasSubstr("UTF-8"));
  }
  {
    grpc::ClientContext context;
    v1::ReadRequest request;
    v1::ReadResponse response;
    request.add_metrics("\xff");
    auto reader = v1::Query::NewStub(channel_)->Read(&context, request);
    EXPECT_FALSE(reader->Read(&response));
    const grpc::Status status = reader->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(),
                HasSubstr("waterflow.v1.ReadRequest.metrics"));
  }
  EXPECT_FALSE(CreateRun().empty()) << "the server goes on";
}

TEST_F(WaterflowdTest, BytesThatAreNoRequestAreRefused) {
  const auto process = StartServing();
  grpc::GenericStub stub(channel_);
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const grpc::Slice slice("\x0a\x7f only half of a string");
  const grpc::ByteBuffer request(&slice, 1);
  auto call = stub.PrepareUnaryCall(
      &context, "/waterflow.v1.Tracking/CreateRun", request, &queue);
  call->StartCall();
  grpc::ByteBuffer response;
  grpc::Status status;
  call->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_FALSE(CreateRun().empty()) << "the server goes on";
}

TEST_F(WaterflowdTest, SecondProcessOnTheSameDirectoryIsRefused) {
  const auto first = StartServing();
  const auto second =
      Run({"--data-dir", dir_.path() + "/data", "--listen", "127.0.0.1:0"});
  EXPECT_EQ(second->Wait(), 1);
  EXPECT_THAT(second->output(), HasSubstr(dir_.path() + "/data"));
  EXPECT_THAT(second->output(), HasSubstr("process"));
  EXPECT_FALSE(CreateRun().empty()) << "the first goes on";
  first->Signal(SIGTERM);
  EXPECT_EQ(first->Wait(), 0);
}

TEST_F(WaterflowdTest, PortInUseIsRefused) {
  const auto first = StartServing();
  const auto second =
      Run({"--data-dir", dir_.path() + "/other", "--listen", address_});
  EXPECT_EQ(second->Wait(), 1);
  EXPECT_THAT(second->output(), HasSubstr("cannot listen"));
}

}  // namespace
}  // namespace waterflow::testing
