// How runs, workers and ranges are named on the command line.
#ifndef WATERFLOW_CLIENT_CLI_SELECT_H_
#define WATERFLOW_CLIENT_CLI_SELECT_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/api.h"
#include "waterflow/v1/query.pb.h"

namespace waterflow::cli {

// A run by its id, its name if only one run has it, or the first digits of its
// id if only one id begins so. NOT_FOUND or INVALID_ARGUMENT (several) name the
// candidates.
absl::StatusOr<v1::Run> FindRun(Api& api, const std::string& text);
absl::StatusOr<std::vector<v1::Run>> FindRuns(
    Api& api, const std::vector<std::string>& texts);

// [ROLE:]RANK
absl::StatusOr<v1::Worker> ParseWorker(const std::string& text);

// A-B, both included; either may be left out. A alone is A-A.
absl::StatusOr<v1::RankRange> ParseRankRange(const std::string& text);

// Whether the name of a metric is meant as a glob: it holds * ? or [.
bool IsGlob(const std::string& metric);

// A:B, both included; either may be left out.
absl::StatusOr<v1::Range> ParseStepRange(const std::string& text);

// A:B in Unix seconds (1795423236.5), or A..B with times such as
// 2026-11-23T22:31:07Z.
absl::StatusOr<v1::Range> ParseTimeRange(const std::string& text);

// A range or worker that cannot be read is wrong usage, not an error.
template <typename Parse>
std::function<std::string(const std::string&)> ParsedBy(Parse parse) {
  return [parse](const std::string& text) {
    return std::string(parse(text).status().message());
  };
}

}  // namespace waterflow::cli

#endif  // WATERFLOW_CLIENT_CLI_SELECT_H_
