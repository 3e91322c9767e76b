// docs/query.md as a reader runs it: each command of its console blocks, one
// after the other, against a server of its own; what is printed must be what
// stands there. A line of "..." stands for any lines.
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gtest/gtest.h"
#include "tests/e2e/client_programs.h"

namespace waterflow::cli {
namespace {

struct Example {
  int line = 0;  // of the document
  std::string command;
  std::vector<std::string> output;
};

std::vector<Example> ReadExamples(const std::string& path) {
  std::vector<Example> examples;
  std::ifstream in(path);
  bool inside = false;
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (absl::StartsWith(line, "```")) {
      inside = line == "```console";
    } else if (inside && absl::StartsWith(line, "$ ")) {
      examples.push_back({number, line.substr(2), {}});
    } else if (inside && !examples.empty() &&
               absl::EndsWith(examples.back().command, "\\") &&
               examples.back().output.empty()) {
      absl::StrAppend(&examples.back().command, "\n", line);
    } else if (inside && !examples.empty()) {
      examples.back().output.push_back(line);
    }
  }
  return examples;
}

bool Fits(const std::vector<std::string>& expected, size_t e,
          const std::vector<std::string>& found, size_t f) {
  if (e == expected.size()) return f == found.size();
  if (expected[e] == "...") {
    for (size_t rest = f; rest <= found.size(); ++rest) {
      if (Fits(expected, e + 1, found, rest)) return true;
    }
    return false;
  }
  return f < found.size() &&
         expected[e] == absl::StripTrailingAsciiWhitespace(found[f]) &&
         Fits(expected, e + 1, found, f + 1);
}

TEST(QueryDocTest, EachExampleOfTheManualPrintsWhatStandsThere) {
  const std::vector<Example> examples = ReadExamples(QUERY_DOC);
  ASSERT_GT(examples.size(), 10u);
  TemporaryFolder folder;
  ServerProgram server(folder / "server");
  server.Start();
  setenv("WATERFLOW_SERVER", server.address().c_str(), 1);
  setenv("TZ", "UTC", 1);
  const std::string programs =
      std::string(WATERFLOW).substr(0, std::string(WATERFLOW).rfind('/'));
  setenv("PATH", absl::StrCat(programs, ":", getenv("PATH")).c_str(), 1);
  setenv("TRACE", TRACE, 1);
  for (const Example& example : examples) {
    const std::string file = folder / "output";
    const pid_t pid =
        StartProgram({"/bin/sh", "-c",
                      absl::StrCat("cd ", folder / ".", "\n", example.command)},
                     file);
    WaitForProgram(pid);
    const std::string text = ReadTextFile(file);
    std::vector<std::string> found = absl::StrSplit(text, '\n');
    if (found.back().empty()) found.pop_back();
    EXPECT_TRUE(Fits(example.output, 0, found, 0))
        << "docs/query.md:" << example.line << ": " << example.command
        << "\nprints:\n"
        << text;
  }
}

}  // namespace
}  // namespace waterflow::cli
