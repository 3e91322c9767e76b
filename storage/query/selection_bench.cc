// What a look through the 100,000 metric names of a run costs: a page of a
// listing, and patterns.
//
//   waterflow-selection-bench [--benchmark_...]
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/query/metric_listing.h"
#include "storage/query/metric_matcher.h"

namespace waterflow::storage {
namespace {

constexpr uint32_t kNames = 100000;

// As a large model logs: 10 statistics of 10 tensors of 1,000 layers.
const std::vector<std::string>& Names() {
  static const auto* const kAll = [] {
    auto* const names = new std::vector<std::string>();
    for (uint32_t i = 0; i < kNames; ++i) {
      names->push_back(absl::StrCat("grad/layer", i / 100, "/tensor",
                                    i / 10 % 10, "/stat", i % 10));
    }
    return names;
  }();
  return *kAll;
}

MetricListSpec PageOf100() {
  MetricListSpec spec;
  spec.page_size = 100;
  return spec;
}

void List(benchmark::State& state, const MetricListSpec& spec) {
  for (auto _ : state) {
    auto listing = MetricListing::Make(spec);
    for (uint32_t i = 0; i < kNames; ++i) {
      listing->Add(MetricId{i}, Names()[i]);
    }
    bool more = false;
    benchmark::DoNotOptimize(listing->TakePage(&more));
  }
}

void FirstPage(benchmark::State& state) { List(state, PageOf100()); }
void Contains(benchmark::State& state) {
  MetricListSpec spec = PageOf100();
  spec.contains = "TENSOR7";
  List(state, spec);
}
void Fuzzy(benchmark::State& state) {
  MetricListSpec spec = PageOf100();
  spec.fuzzy = "l77t3s";
  List(state, spec);
}
void Tree(benchmark::State& state) {
  MetricListSpec spec = PageOf100();
  spec.prefix = "grad/";
  spec.tree = true;
  List(state, spec);
}
BENCHMARK(FirstPage)->Unit(benchmark::kMillisecond);
BENCHMARK(Contains)->Unit(benchmark::kMillisecond);
BENCHMARK(Fuzzy)->Unit(benchmark::kMillisecond);
BENCHMARK(Tree)->Unit(benchmark::kMillisecond);

void Match(benchmark::State& state, const MetricPatterns& patterns) {
  const auto matcher = MetricMatcher::Compile(patterns);
  for (auto _ : state) {
    size_t matched = 0;
    for (const std::string& name : Names()) matched += matcher->Matches(name);
    benchmark::DoNotOptimize(matched);
  }
}

void Glob(benchmark::State& state) {
  Match(state, {.globs = {"grad/layer7*/stat0"}, .regexes = {}});
}
void Regex(benchmark::State& state) {
  Match(state, {.globs = {}, .regexes = {"grad/.*[05]/(stat1|stat2)"}});
}
BENCHMARK(Glob)->Unit(benchmark::kMillisecond);
BENCHMARK(Regex)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace waterflow::storage

BENCHMARK_MAIN();
