// From a selection to names: runs that a search finds, metrics that a pattern
// matches.
#include <utility>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "storage/engine_core.h"
#include "storage/model/limits.h"
#include "storage/model/names.h"
#include "storage/query/derive.h"
#include "storage/query/select.h"

namespace waterflow::storage {
namespace {

std::string FirstPattern(const MetricPatterns& patterns) {
  return Quoted(patterns.globs.empty() ? patterns.regexes[0]
                                       : patterns.globs[0]);
}

}  // namespace

absl::StatusOr<ReadSummary> EngineCore::Read(const ReadSpec& spec,
                                             const PartSink& sink) {
  if (absl::Status s =
          CheckSelection(spec.runs.size(), spec.run_filter, spec.metrics.size(),
                         spec.metric_patterns, spec.worker_filter);
      !s.ok()) {
    return s;
  }
  absl::StatusOr<MetricMatcher> matcher =
      MetricMatcher::Compile(spec.metric_patterns);
  if (!matcher.ok()) return matcher.status();
  ReadSpec named = spec;
  if (spec.run_filter.has_value()) {
    absl::StatusOr<std::vector<Uuid>> runs =
        FindRunIds(*spec.run_filter, spec.cancelled);
    if (!runs.ok()) return runs.status();
    named.runs = *std::move(runs);
  }
  if (!matcher->empty()) {
    absl::StatusOr<std::vector<std::string>> matched =
        MatchMetrics(named.runs, *matcher);
    if (!matched.ok()) return matched.status();
    const absl::flat_hash_set<std::string> exact(named.metrics.begin(),
                                                 named.metrics.end());
    for (std::string& name : *matched) {
      if (!exact.contains(name)) named.metrics.push_back(std::move(name));
    }
    if (named.metrics.empty()) {
      return absl::NotFoundError(absl::StrCat(
          "metric_globs, metric_regexes: ", FirstPattern(spec.metric_patterns),
          spec.metric_patterns.size() == 1 ? "" : " and the others",
          " match no metric of the runs"));
    }
  }
  if (absl::Status s = CheckDerivations(spec, named.metrics); !s.ok()) return s;
  if (spec.derivations.empty()) return ReadSelected(named, sink);
  const std::unique_ptr<Deriver> deriver = MakeDeriver(spec, sink);
  absl::StatusOr<ReadSummary> summary = ReadSelected(
      named, [&](SeriesPart part) { return deriver->Add(std::move(part)); });
  if (!summary.ok()) return summary;
  if (absl::Status s = deriver->Finish(); !s.ok()) return s;
  summary->exact = false;
  return summary;
}

absl::StatusOr<std::vector<Uuid>> EngineCore::FindRunIds(
    const RunFilter& filter, const std::function<bool()>& cancelled) {
  absl::StatusOr<SearchPage> page = SearchRuns({.projects = filter.projects,
                                                .filter = filter.filter,
                                                .order_by = filter.order_by,
                                                .page_size = filter.limit,
                                                .page_token = "",
                                                .cancelled = cancelled});
  if (!page.ok()) {
    return absl::Status(
        page.status().code(),
        absl::StrCat(absl::IsInvalidArgument(page.status()) ? "run_filter."
                                                            : "run_filter: ",
                     page.status().message()));
  }
  if (page->runs.empty()) {
    return absl::NotFoundError("run_filter: no run is like that");
  }
  std::vector<Uuid> ids;
  for (const FoundRun& found : page->runs) ids.push_back(found.run.id);
  return ids;
}

absl::StatusOr<std::vector<std::string>> EngineCore::MatchMetrics(
    const std::vector<Uuid>& runs, const MetricMatcher& matcher) {
  // Names are shared by runs: each is matched once.
  absl::flat_hash_set<MetricId> seen;
  absl::btree_set<std::string> matched;
  for (const Uuid& run : runs) {
    std::vector<std::string> names;
    const absl::Status listed =
        ForEachMetric(run, [&](MetricId id, const std::string& name) {
          if (seen.insert(id).second) names.push_back(name);
        });
    // Whoever reads it says so.
    if (absl::IsNotFound(listed)) continue;
    if (!listed.ok()) return listed;
    for (std::string& name : names) {
      if (!matcher.Matches(name)) continue;
      matched.insert(std::move(name));
      if (matched.size() > kMaxReadMetrics) {
        return absl::InvalidArgumentError(absl::StrCat(
            "metric_globs, metric_regexes: match more than ", kMaxReadMetrics,
            " metrics, which is the limit; narrow them"));
      }
    }
  }
  return std::vector<std::string>(matched.begin(), matched.end());
}

}  // namespace waterflow::storage
