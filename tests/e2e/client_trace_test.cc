// The whole of the shipped trace through the real programs and back: every
// step, time and value bit for bit, in spite of a second import, a seal, a
// restart and a killed server.
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <tuple>

#include "absl/types/span.h"
#include "client/cli/trace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/client_programs.h"

namespace waterflow::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

template <typename T>
bool SameBits(absl::Span<const T> a, absl::Span<const T> b) {
  return a.size() == b.size() &&
         (a.empty() ||
          std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

// Of everything, or of one run.
void ExpectSameTrace(const Trace& expected, const Trace& found,
                     const std::string& only_run = "") {
  size_t at = 0;
  for (const TraceSeries& e : expected.series) {
    if (!only_run.empty() && e.run != only_run) continue;
    SCOPED_TRACE(e.run + " rank " + std::to_string(e.rank) + " " + e.metric);
    ASSERT_LT(at, found.series.size());
    const TraceSeries& f = found.series[at++];
    // Its place in the list is the series' id.
    ASSERT_EQ(std::tie(f.run, f.rank, f.metric, f.cls, f.native),
              std::tie(e.run, e.rank, e.metric, e.cls, e.native));
    ASSERT_TRUE(SameBits(expected.steps_of(e), found.steps_of(f)));
    ASSERT_TRUE(SameBits(expected.times_of(e), found.times_of(f)));
    ASSERT_TRUE(SameBits(expected.values_of(e), found.values_of(f)));
  }
  EXPECT_EQ(at, found.series.size());
  for (const auto& [run, params] : found.runs.items()) {
    // Compared without regard to the order of the params.
    EXPECT_EQ(nlohmann::json(params), nlohmann::json(expected.runs.at(run)));
  }
  if (only_run.empty()) {
    EXPECT_EQ(found.runs.size(), expected.runs.size());
    EXPECT_EQ(found.values.size(), expected.values.size());
  }
}

Trace Original() {
  auto trace = ReadTrace(TRACE);
  EXPECT_TRUE(trace.ok()) << trace.status();
  return *std::move(trace);
}

Trace Exported(const ServerProgram& server, const std::string& folder) {
  const CommandResult result =
      RunCommand(server, {"export", "--format", "trace", folder});
  EXPECT_EQ(result.exit_code, 0) << result.output;
  auto trace = ReadTrace(folder);
  EXPECT_TRUE(trace.ok()) << trace.status();
  return trace.ok() ? *std::move(trace) : Trace();
}

TEST(TraceRoundTrip, WholeTraceComesBackBitForBit) {
  const TemporaryFolder folder;
  const Trace original = Original();
  ServerProgram server(folder / "server");
  server.Start();

  const CommandResult import =
      RunCommand(server, {"import", "--format", "trace", TRACE});
  ASSERT_EQ(import.exit_code, 0) << import.output;
  EXPECT_THAT(import.output, Not(HasSubstr("already there")));
  ExpectSameTrace(original, Exported(server, folder / "fresh"));

  const CommandResult again =
      RunCommand(server, {"import", "--format", "trace", TRACE});
  ASSERT_EQ(again.exit_code, 0) << again.output;
  EXPECT_THAT(again.output, HasSubstr("already there"));
  ExpectSameTrace(original, Exported(server, folder / "twice"));

  const CommandResult flush = RunCommand(server, {"flush"});
  ASSERT_EQ(flush.exit_code, 0) << flush.output;
  ExpectSameTrace(original, Exported(server, folder / "sealed"));

  ASSERT_EQ(server.Stop(), 0);
  server.Start();
  ExpectSameTrace(original, Exported(server, folder / "restarted"));

  // What it logged last is what runs are found by.
  const CommandResult found = RunCommand(
      server, {"run", "list", "--filter",
               "metrics.`train/loss` < 1e9 and name LIKE 'lm_%'", "--order-by",
               "metrics.`train/loss` DESC", "--limit", "1"});
  ASSERT_EQ(found.exit_code, 0) << found.output;
  EXPECT_THAT(found.output, HasSubstr("train/loss"));
  const CommandResult wrong =
      RunCommand(server, {"run", "list", "--filter", "train/loss < 1"});
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_THAT(wrong.output, HasSubstr("filter: column 1: unknown attribute"));
}

TEST(TraceRoundTrip, ImportOutlivesAKilledServer) {
  const TemporaryFolder folder;
  const Trace original = Original();
  ServerProgram server(folder / "server");
  server.Start();
  // Slow enough that the kills fall into it.
  const pid_t import =
      StartProgram({WATERFLOW, "--server", server.address(), "import", TRACE,
                    "--run", "lm_diverge", "--speed", "100"},
                   folder / "import");
  const auto stored = [&] {
    const CommandResult stats = RunCommand(server, {"stats", "--json"});
    const auto json = nlohmann::json::parse(stats.output, nullptr, false);
    return json.is_object() ? json.at("rows").get<uint64_t>() : 0;
  };
  // Of 7,129.
  for (const uint64_t rows : {1000, 3000}) {
    while (stored() < rows) {
    }
    server.Kill();
    server.Start(server.port());
  }
  ASSERT_EQ(WaitForProgram(import), 0) << ReadTextFile(folder / "import");
  ExpectSameTrace(original, Exported(server, folder / "again"), "lm_diverge");
}

TEST(CommandLine, ErrorsAreOneLineAndTellFromWrongUsage) {
  const TemporaryFolder folder;
  ServerProgram server(folder / "server");
  server.Start();
  const CommandResult unknown = RunCommand(server, {"run", "show", "nothing"});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_THAT(unknown.output, HasSubstr("waterflow: NOT_FOUND: no run"));
  EXPECT_EQ(RunCommand(server, {"query", "--run", "x"}).exit_code, 2);
  EXPECT_EQ(RunCommand(server, {"--help"}).exit_code, 0);
  ASSERT_EQ(server.Stop(), 0);
  const CommandResult alone = RunCommand(server, {"run", "list"});
  EXPECT_EQ(alone.exit_code, 1);
  EXPECT_THAT(alone.output, HasSubstr("waterflow: UNAVAILABLE"));
}

}  // namespace
}  // namespace waterflow::cli
