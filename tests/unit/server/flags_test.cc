// Flags, their variables and the config file.
#include "server/flags.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace waterflow::server {
namespace {

std::variant<Options, ExitCode> Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "waterflowd");
  return ParseFlags(static_cast<int>(arguments.size()), arguments.data());
}

Options ParseOk(const std::vector<const char*>& arguments) {
  const auto parsed = Parse(arguments);
  EXPECT_TRUE(std::holds_alternative<Options>(parsed));
  const auto* options = std::get_if<Options>(&parsed);
  return options == nullptr ? Options{} : *options;
}

TEST(FlagsTest, DefaultsAreThoseOfTheStruct) {
  const Options options = ParseOk({});
  EXPECT_EQ(options.engine.data_dir, "waterflow-data");
  EXPECT_EQ(options.listen, "127.0.0.1:7070");
  EXPECT_EQ(options.engine.sync, storage::SyncPolicy::kAlways);
  EXPECT_EQ(options.engine.memory_limit_bytes,
            storage::DefaultMemoryLimitBytes());
  EXPECT_EQ(options.engine.gather, absl::Milliseconds(5));
  EXPECT_EQ(options.grpc_threads, 1);
}

TEST(FlagsTest, EachIsUnderstood) {
  const Options options = ParseOk(
      {"--data-dir", "/d", "--listen", "[::1]:0", "--sync", "interval=20ms",
       "--memory-limit", "2G", "--group-bytes=512K", "--seal-age", "90s",
       "--gather=7ms", "--grpc-threads=3", "--log-level=warn", "--port-file=/p",
       "--drain-grace=1s", "--max-rows-per-second=1000",
       "--max-workers-per-run=8", "--max-streams=9"});
  EXPECT_EQ(options.engine.data_dir, "/d");
  EXPECT_EQ(options.listen, "[::1]:0");
  EXPECT_EQ(options.engine.sync, storage::SyncPolicy::kInterval);
  EXPECT_EQ(options.engine.sync_interval, absl::Milliseconds(20));
  EXPECT_EQ(options.engine.memory_limit_bytes, uint64_t{2} << 30);
  EXPECT_EQ(options.engine.group_bytes, uint64_t{512} << 10);
  EXPECT_EQ(options.engine.seal_age, absl::Seconds(90));
  EXPECT_EQ(options.engine.gather, absl::Milliseconds(7));
  EXPECT_EQ(options.grpc_threads, 3);
  EXPECT_EQ(options.log_level, "warn");
  EXPECT_EQ(options.port_file, "/p");
  EXPECT_EQ(options.drain_grace, absl::Seconds(1));
  EXPECT_EQ(options.engine.max_rows_per_second, 1000u);
  EXPECT_EQ(options.engine.max_workers_per_run, 8u);
  EXPECT_EQ(options.max_streams, 9u);
}

TEST(FlagsTest, ARelayHasAnUpstreamAndABound) {
  EXPECT_EQ(ParseOk({}).relay_upstream, "");
  EXPECT_EQ(ParseOk({}).relay_disk_bytes, uint64_t{20} << 30);
  const Options options = ParseOk({"--relay=h:7070", "--relay-disk=5G"});
  EXPECT_EQ(options.relay_upstream, "h:7070");
  EXPECT_EQ(options.relay_disk_bytes, uint64_t{5} << 30);
}

TEST(FlagsTest, ARelayTakesNoFlagOfTheServerBehindIt) {
  for (const std::vector<const char*>& mistake :
       std::vector<std::vector<const char*>>{
           {"--relay=h"},
           {"--relay=h:0"},
           {"--relay=:7070"},
           {"--relay=h:1", "verify"},
           {"--relay=h:1", "--seal-age=1m"},
           {"--relay=h:1", "--retention-age=1h"}}) {
    const auto parsed = Parse(mistake);
    const auto* exit_code = std::get_if<ExitCode>(&parsed);
    ASSERT_NE(exit_code, nullptr) << mistake.back();
    EXPECT_NE(exit_code->value, 0) << mistake.back();
  }
}

TEST(FlagsTest, FlagWinsOverVariableWinsOverFile) {
  const std::string file = absl::StrCat(
      ::testing::TempDir(), "/waterflowd_flags_test_", getpid(), ".conf");
  std::ofstream(file) << "listen = \"h:1\"\n"
                         "sync = \"interval=30ms\"\n"
                         "memory-limit = 64M\n"
                         "grpc-threads = 2\n";
  setenv("WATERFLOW_GRPC_THREADS", "3", 1);
  setenv("WATERFLOW_LISTEN", "h:2", 1);
  const Options options = ParseOk({"--config", file.c_str(), "--listen=h:3"});
  unsetenv("WATERFLOW_GRPC_THREADS");
  unsetenv("WATERFLOW_LISTEN");
  std::filesystem::remove(file);
  EXPECT_EQ(options.listen, "h:3");
  EXPECT_EQ(options.grpc_threads, 3);
  EXPECT_EQ(options.engine.sync_interval, absl::Milliseconds(30));
  EXPECT_EQ(options.engine.memory_limit_bytes, uint64_t{64} << 20);
}

TEST(FlagsTest, MistakesAreRefused) {
  for (const char* mistake :
       {"--sync=sometimes", "--sync=interval=soon", "--gather=-1s",
        "--memory-limit=much", "--grpc-threads=0", "--log-level=loud",
        "--no-such-flag", "--config=/no/such/file"}) {
    const auto parsed = Parse({mistake});
    const auto* exit_code = std::get_if<ExitCode>(&parsed);
    ASSERT_NE(exit_code, nullptr) << mistake;
    EXPECT_NE(exit_code->value, 0) << mistake;
  }
}

TEST(FlagsTest, HelpAndVersionExitWithZero) {
  for (const char* flag : {"--help", "--version"}) {
    const auto parsed = Parse({flag});
    const auto* exit_code = std::get_if<ExitCode>(&parsed);
    ASSERT_NE(exit_code, nullptr) << flag;
    EXPECT_EQ(exit_code->value, 0) << flag;
  }
}

}  // namespace
}  // namespace waterflow::server
