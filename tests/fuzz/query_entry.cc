#include <algorithm>
#include <cstdlib>
#include <string>

#include "storage/format/checksum.h"
#include "storage/model/limits.h"
#include "storage/query/metric_listing.h"
#include "storage/query/metric_matcher.h"
#include "storage/query/tail_token.h"
#include "tests/fuzz/entries.h"

namespace waterflow::fuzz {
namespace {

constexpr uint64_t kQuestion = 0x0123456789abcdef;

}  // namespace

int TailToken(const uint8_t* input, size_t size) {
  std::string token(reinterpret_cast<const char*>(input), size);
  storage::AppendChecksum(&token);
  const auto cursors = storage::DecodeTailToken(token, kQuestion);
  if (!cursors.ok()) return 0;
  // What is accepted means the same when it is written again.
  storage::TailTokenBuilder again(kQuestion);
  for (const storage::TailCursor& cursor : *cursors) {
    again.Add(cursor.run, cursor.next_rows);
  }
  const auto same =
      storage::DecodeTailToken(std::move(again).Build(), kQuestion);
  if (!same.ok() || same->size() != cursors->size()) std::abort();
  for (size_t i = 0; i < same->size(); ++i) {
    if ((*same)[i].next_rows != (*cursors)[i].next_rows) std::abort();
  }
  return 0;
}

int MetricPattern(const uint8_t* input, size_t size) {
  const std::string text(reinterpret_cast<const char*>(input), size);
  const auto glob =
      storage::MetricMatcher::Compile({.globs = {text}, .regexes = {}});
  if (glob.ok()) glob->Matches(text);
  // A text without a special character is a glob for itself alone.
  if (glob.ok() && text.find_first_of("*?[") == std::string::npos &&
      !glob->Matches(text)) {
    std::abort();
  }
  const auto regex =
      storage::MetricMatcher::Compile({.globs = {}, .regexes = {text}});
  if (regex.ok()) regex->Matches(text);
  const auto gap = storage::FuzzyGap(
      text, text.substr(0, std::min(size, storage::kMaxFuzzyBytes)));
  if (gap.has_value() && *gap > size) std::abort();
  return 0;
}

}  // namespace waterflow::fuzz
