#include "storage/query/metric_matcher.h"

#include <re2/re2.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/model/limits.h"
#include "storage/model/names.h"

namespace waterflow::storage {
namespace {

// Before anything is compiled.
absl::Status CheckPattern(absl::string_view field, absl::string_view pattern) {
  if (pattern.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": is empty and would match no metric"));
  }
  return CheckText(field, pattern, kMaxMetricPatternBytes);
}

absl::StatusOr<std::unique_ptr<const re2::RE2>> CompileRegex(
    absl::string_view field, absl::string_view pattern,
    const std::string& regex) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_dot_nl(true);
  options.set_never_capture(true);
  options.set_max_mem(kMaxMetricPatternMemoryBytes);
  auto compiled = std::make_unique<const re2::RE2>(regex, options);
  if (compiled->ok()) return compiled;
  if (compiled->error_code() == re2::RE2::ErrorPatternTooLarge) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " ", Quoted(pattern), ": takes more than ",
                     kMaxMetricPatternMemoryBytes, " bytes when compiled"));
  }
  return absl::InvalidArgumentError(
      absl::StrCat(field, " ", Quoted(pattern), ": ", compiled->error()));
}

// Of `glob` behind a "[": where the "]" that closes it stands. A "]" in front
// is one of the characters.
size_t EndOfClass(absl::string_view glob, size_t begin) {
  size_t at = begin;
  if (at < glob.size() && glob[at] == '!') ++at;
  return glob.find(']', at + 1);
}

void AppendClass(absl::string_view characters, std::string* regex) {
  *regex += '[';
  if (!characters.empty() && characters[0] == '!') {
    *regex += '^';
    characters.remove_prefix(1);
  }
  for (const char c : characters) {
    if (c == '\\' || c == '[' || c == ']' || c == '^' || c == '&') {
      *regex += '\\';
    }
    *regex += c;
  }
  *regex += ']';
}

}  // namespace

absl::StatusOr<std::string> RegexOfGlob(absl::string_view glob) {
  std::string regex;
  for (size_t i = 0; i < glob.size(); ++i) {
    switch (glob[i]) {
      case '*':
        // Several in a row are as one.
        if (i == 0 || glob[i - 1] != '*') regex += ".*";
        break;
      case '?':
        regex += '.';
        break;
      case '[': {
        const size_t end = EndOfClass(glob, i + 1);
        if (end == absl::string_view::npos) {
          return absl::InvalidArgumentError(
              absl::StrCat("the [ at byte ", i + 1, " is never closed"));
        }
        AppendClass(glob.substr(i + 1, end - i - 1), &regex);
        i = end;
        break;
      }
      default:
        regex += re2::RE2::QuoteMeta({glob.data() + i, 1});
    }
  }
  return regex;
}

MetricMatcher::MetricMatcher() = default;
MetricMatcher::~MetricMatcher() = default;
MetricMatcher::MetricMatcher(MetricMatcher&&) = default;
MetricMatcher& MetricMatcher::operator=(MetricMatcher&&) = default;

absl::StatusOr<MetricMatcher> MetricMatcher::Compile(
    const MetricPatterns& patterns) {
  if (patterns.size() > kMaxMetricPatterns) {
    return absl::InvalidArgumentError(absl::StrCat(
        "metric_globs, metric_regexes: ", patterns.size(),
        " given, together at most ", kMaxMetricPatterns, " are allowed"));
  }
  MetricMatcher matcher;
  const auto add = [&](absl::string_view field, const std::string& pattern,
                       const absl::StatusOr<std::string>& regex) {
    if (!regex.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(
          field, " ", Quoted(pattern), ": ", regex.status().message()));
    }
    auto compiled = CompileRegex(field, pattern, *regex);
    if (!compiled.ok()) return compiled.status();
    matcher.regexes_.push_back(*std::move(compiled));
    return absl::OkStatus();
  };
  for (size_t i = 0; i < patterns.globs.size(); ++i) {
    const std::string field = absl::StrCat("metric_globs[", i, "]");
    const std::string& glob = patterns.globs[i];
    if (absl::Status s = CheckPattern(field, glob); !s.ok()) return s;
    if (absl::Status s = add(field, glob, RegexOfGlob(glob)); !s.ok()) return s;
  }
  for (size_t i = 0; i < patterns.regexes.size(); ++i) {
    const std::string field = absl::StrCat("metric_regexes[", i, "]");
    const std::string& regex = patterns.regexes[i];
    if (absl::Status s = CheckPattern(field, regex); !s.ok()) return s;
    if (absl::Status s = add(field, regex, regex); !s.ok()) return s;
  }
  return matcher;
}

bool MetricMatcher::Matches(absl::string_view name) const {
  const re2::StringPiece text(name.data(), name.size());
  return std::any_of(regexes_.begin(), regexes_.end(), [&](const auto& regex) {
    return re2::RE2::FullMatch(text, *regex);
  });
}

}  // namespace waterflow::storage
