#include "client/cli/select.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "client/cli/format.h"

namespace waterflow::cli {
namespace {

absl::StatusOr<v1::Run> Only(const std::vector<const v1::Run*>& runs,
                             absl::string_view what) {
  if (runs.size() == 1) return *runs[0];
  std::vector<std::string> ids;
  for (const v1::Run* run : runs) {
    if (ids.size() < 5) ids.push_back(ShortId(run->id()));
  }
  return absl::InvalidArgumentError(
      absl::StrCat(runs.size(), " runs ", what, "; name one by its id: ",
                   absl::StrJoin(ids, ", "), runs.size() > 5 ? ", ..." : ""));
}

// Unix seconds with decimals, exactly, or a time of RFC 3339.
std::optional<int64_t> ParseTimeNs(absl::string_view text) {
  absl::Time time;
  std::string error;
  if (absl::ParseTime(absl::RFC3339_full, text, &time, &error) ||
      absl::ParseTime("%Y-%m-%d%ET%H:%M:%E*S", text, absl::LocalTimeZone(),
                      &time, &error)) {
    return absl::ToUnixNanos(time);
  }
  absl::Duration since;
  if (!absl::ParseDuration(absl::StrCat(text, "s"), &since)) {
    return std::nullopt;
  }
  return absl::ToInt64Nanoseconds(since);
}

template <typename ParseEnd>
absl::StatusOr<v1::Range> ParseRange(const std::string& text,
                                     absl::string_view separator,
                                     const std::string& expected,
                                     ParseEnd parse) {
  const std::vector<std::string> ends = absl::StrSplit(text, separator);
  const auto bad = absl::InvalidArgumentError(
      absl::StrCat("\"", text, "\" is no range: expected ", expected));
  if (ends.size() != 2) return bad;
  v1::Range range;
  for (int i = 0; i < 2; ++i) {
    if (ends[i].empty()) continue;
    const std::optional<int64_t> end = parse(ends[i]);
    if (!end) return bad;
    i == 0 ? range.set_first(*end) : range.set_last(*end);
  }
  return range;
}

}  // namespace

absl::StatusOr<v1::Run> FindRun(Api& api, const std::string& text) {
  const std::string lower = absl::AsciiStrToLower(text);
  if (lower.size() == 32 &&
      std::all_of(lower.begin(), lower.end(), absl::ascii_isxdigit)) {
    v1::GetRunRequest request;
    request.set_run_id(lower);
    auto found = Call(*api.tracking, &v1::Tracking::Stub::GetRun, request);
    if (!found.ok()) return found.status();
    return std::move(*found->mutable_run());
  }
  auto runs = AllRuns(api, "");
  if (!runs.ok()) return runs.status();
  std::vector<const v1::Run*> named;
  std::vector<const v1::Run*> prefixed;
  for (const v1::Run& run : *runs) {
    if (run.name() == text) named.push_back(&run);
    if (absl::StartsWith(run.id(), lower)) prefixed.push_back(&run);
  }
  if (!named.empty()) {
    return Only(named, absl::StrCat("are named \"", text, "\""));
  }
  if (!text.empty() && !prefixed.empty()) {
    return Only(prefixed, absl::StrCat("have an id that begins with ", lower));
  }
  return absl::NotFoundError(absl::StrCat("no run has the name or id \"", text,
                                          "\"; see: waterflow run list"));
}

absl::StatusOr<std::vector<v1::Run>> FindRuns(
    Api& api, const std::vector<std::string>& texts) {
  std::vector<v1::Run> runs;
  for (const std::string& text : texts) {
    auto run = FindRun(api, text);
    if (!run.ok()) return run.status();
    runs.push_back(*std::move(run));
  }
  return runs;
}

absl::StatusOr<v1::Worker> ParseWorker(const std::string& text) {
  v1::Worker worker;
  const size_t colon = text.rfind(':');
  if (colon != std::string::npos) worker.set_role(text.substr(0, colon));
  uint32_t rank = 0;
  if (!absl::SimpleAtoi(
          colon == std::string::npos ? text : text.substr(colon + 1), &rank)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text,
                     "\" is no worker: expected [ROLE:]RANK, such as 3 or "
                     "eval:0"));
  }
  worker.set_rank(rank);
  return worker;
}

absl::StatusOr<v1::RankRange> ParseRankRange(const std::string& text) {
  const std::vector<std::string> ends = absl::StrSplit(text, '-');
  v1::RankRange range;
  bool good = ends.size() <= 2 && !text.empty() && text != "-";
  uint32_t rank = 0;
  if (good && !ends.front().empty()) {
    good = absl::SimpleAtoi(ends.front(), &rank);
    range.set_first(rank);
  }
  if (good && !ends.back().empty()) {
    good = absl::SimpleAtoi(ends.back(), &rank);
    range.set_last(rank);
  }
  if (good) return range;
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", text,
      "\" is no range of ranks: expected A-B, such as 0-63, 64- or "
      "7"));
}

bool IsGlob(const std::string& metric) {
  return metric.find_first_of("*?[") != std::string::npos;
}

absl::StatusOr<v1::Range> ParseStepRange(const std::string& text) {
  return ParseRange(text, ":", "A:B in steps, such as 100:200, 100: or :200",
                    [](const std::string& end) -> std::optional<int64_t> {
                      int64_t step = 0;
                      if (!absl::SimpleAtoi(end, &step)) return std::nullopt;
                      return step;
                    });
}

absl::StatusOr<v1::Range> ParseTimeRange(const std::string& text) {
  return ParseRange(text, absl::StrContains(text, "..") ? ".." : ":",
                    "A:B in Unix seconds, or A..B with times such as "
                    "2026-11-23T22:31:07Z",
                    ParseTimeNs);
}

}  // namespace waterflow::cli
