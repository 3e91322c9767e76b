// What an operator types, as programs: verify, backup, restore, retention, on
// the shipped trace.
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/client_programs.h"

namespace waterflow::cli {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

// waterflowd as a program that ends by itself.
CommandResult RunOffline(const TemporaryFolder& folder,
                         std::vector<std::string> args) {
  args.insert(args.begin(), WATERFLOWD);
  CommandResult result;
  result.exit_code = WaitForProgram(StartProgram(args, folder / "offline"));
  result.output = ReadTextFile(folder / "offline");
  return result;
}

class Keep : public ::testing::Test {
 protected:
  void SetUp() override {
    server_.Start();
    const CommandResult import =
        RunCommand(server_, {"import", TRACE, "--run", "lm_diverge"});
    ASSERT_EQ(import.exit_code, 0) << import.output;
    const CommandResult flush = RunCommand(server_, {"flush"});
    ASSERT_EQ(flush.exit_code, 0) << flush.output;
  }

  TemporaryFolder folder_;
  ServerProgram server_{folder_ / "server"};
};

TEST_F(Keep, VerifyReadsAllOfAStoreOnlineAndOffline) {
  const CommandResult online = RunCommand(server_, {"verify"});
  EXPECT_EQ(online.exit_code, 0) << online.output;
  EXPECT_THAT(online.output, HasSubstr("no problems in 1 generations, 1 runs"));
  EXPECT_THAT(online.output, HasSubstr("498,416 values"));

  const std::string data = folder_ / "server/data";
  const CommandResult busy =
      RunOffline(folder_, {"verify", "--data-dir", data});
  EXPECT_EQ(busy.exit_code, 1);
  EXPECT_THAT(busy.output, HasSubstr("in use"));

  ASSERT_EQ(server_.Stop(), 0);
  const CommandResult offline =
      RunOffline(folder_, {"verify", "--data-dir", data});
  EXPECT_EQ(offline.exit_code, 0) << offline.output;
  EXPECT_THAT(offline.output, HasSubstr("0 problems in 1 generations, 1 runs"));
}

TEST_F(Keep, VerifyNamesADamagedBlockAndFailsWhileReadsOfTheRestGoOn) {
  ASSERT_EQ(server_.Stop(), 0);
  std::filesystem::path largest;
  for (const auto& f :
       std::filesystem::directory_iterator(folder_ / "server/data")) {
    if (f.path().extension() == ".sst" &&
        (largest.empty() || f.file_size() > file_size(largest))) {
      largest = f.path();
    }
  }
  {
    std::fstream file(largest, std::ios::in | std::ios::out | std::ios::binary);
    const auto middle = static_cast<std::streamoff>(file_size(largest) / 2);
    file.seekg(middle);
    const char byte = static_cast<char>(file.get() ^ 0x10);
    file.seekp(middle);
    file.put(byte);
  }
  const CommandResult offline =
      RunOffline(folder_, {"verify", "--data-dir", folder_ / "server/data"});
  EXPECT_EQ(offline.exit_code, 1) << offline.output;
  EXPECT_THAT(offline.output, HasSubstr("blocks 00000001"));
  // Of a small tile the spans lie beside it, and are lost with it.
  EXPECT_THAT(offline.output, ContainsRegex("\n[12] problems in"));

  server_.Start();
  const CommandResult online = RunCommand(server_, {"verify"});
  EXPECT_EQ(online.exit_code, 1);
  EXPECT_THAT(online.output, HasSubstr("blocks 00000001"));
  EXPECT_THAT(online.output, ContainsRegex("DATA_LOSS: [12] problems in"));
}

TEST_F(Keep, ABackupIsRestoredBitForBitAndTheSecondOneIsSmall) {
  const std::string backups = folder_ / "backups";
  const CommandResult first =
      RunCommand(server_, {"backup", "create", backups, "--verify"});
  ASSERT_EQ(first.exit_code, 0) << first.output;
  EXPECT_THAT(first.output, HasSubstr("backup 1: "));
  const CommandResult second =
      RunCommand(server_, {"backup", "create", backups, "--keep", "2"});
  ASSERT_EQ(second.exit_code, 0) << second.output;
  EXPECT_THAT(second.output, HasSubstr("KiB of them new"));
  const CommandResult list = RunCommand(server_, {"backup", "list", backups});
  EXPECT_EQ(list.exit_code, 0) << list.output;
  ASSERT_EQ(
      RunCommand(server_, {"export", "--format", "trace", folder_ / "before"})
          .exit_code,
      0);
  ASSERT_EQ(server_.Stop(), 0);

  const CommandResult occupied = RunOffline(
      folder_,
      {"restore", "--from", backups, "--data-dir", folder_ / "server/data"});
  EXPECT_EQ(occupied.exit_code, 1);
  EXPECT_THAT(occupied.output, HasSubstr("is not empty"));
  const CommandResult restored = RunOffline(
      folder_,
      {"restore", "--from", backups, "--data-dir", folder_ / "restored/data"});
  ASSERT_EQ(restored.exit_code, 0) << restored.output;
  EXPECT_THAT(restored.output, HasSubstr("restored backup 2 of"));
  EXPECT_THAT(restored.output, HasSubstr("\n0 problems in"));

  ServerProgram other(folder_ / "restored");
  other.Start();
  ASSERT_EQ(
      RunCommand(other, {"export", "--format", "trace", folder_ / "after"})
          .exit_code,
      0);
  for (const char* file :
       {"index.json", "steps.i64.zst", "times.i64.zst", "values.f64.zst"}) {
    EXPECT_EQ(ReadTextFile(folder_ / "before/" + file),
              ReadTextFile(folder_ / "after/" + file))
        << file;
  }
}

TEST_F(Keep, AProjectSaysHowLongItsRunsAreKept) {
  const CommandResult set =
      RunCommand(server_, {"project", "retention", "trace", "720h"});
  EXPECT_EQ(set.exit_code, 0) << set.output;
  EXPECT_THAT(set.output, HasSubstr("720h"));
  EXPECT_THAT(RunCommand(server_, {"project", "list"}).output,
              HasSubstr("720h"));
  EXPECT_EQ(
      RunCommand(server_, {"project", "retention", "trace", "soon"}).exit_code,
      1);
}

TEST_F(Keep, AProjectSaysHowMuchItMayTake) {
  const CommandResult set =
      RunCommand(server_, {"project", "limits", "trace", "--rows-per-second",
                           "5000", "--disk-bytes", "1G"});
  EXPECT_EQ(set.exit_code, 0) << set.output;
  EXPECT_THAT(set.output, HasSubstr("rows per second: 5,000\n"
                                    "disk bytes: 1,073,741,824\n"));
  EXPECT_THAT(RunCommand(server_, {"project", "list"}).output,
              HasSubstr("1,073,741,824"));
  const CommandResult lifted =
      RunCommand(server_, {"project", "limits", "trace", "--disk-bytes", "0"});
  EXPECT_THAT(lifted.output, HasSubstr("rows per second: 5,000\n"
                                       "disk bytes: no limit\n"));
}

}  // namespace
}  // namespace waterflow::cli
