// Names of metrics by shape: globs and regular expressions.
#ifndef WATERFLOW_STORAGE_QUERY_METRIC_MATCHER_H_
#define WATERFLOW_STORAGE_QUERY_METRIC_MATCHER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/selection.h"

namespace re2 {
class RE2;
}

namespace waterflow::storage {

// A glob as a regular expression that matches the same whole texts:
// INVALID_ARGUMENT when a "[" is never closed. Takes time and memory in the
// length of the glob.
absl::StatusOr<std::string> RegexOfGlob(absl::string_view glob);

// Thread-safe once it is made. RE2 matches in time linear in the name, whatever
// the pattern, and keeps to a bounded memory.
class MetricMatcher {
 public:
  // INVALID_ARGUMENT names field, pattern and limit, or says what RE2 says.
  static absl::StatusOr<MetricMatcher> Compile(const MetricPatterns& patterns);

  ~MetricMatcher();
  MetricMatcher(MetricMatcher&&);
  MetricMatcher& operator=(MetricMatcher&&);

  // Whether one of them matches the whole name.
  bool Matches(absl::string_view name) const;
  bool empty() const { return regexes_.empty(); }

 private:
  MetricMatcher();

  std::vector<std::unique_ptr<const re2::RE2>> regexes_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_METRIC_MATCHER_H_
