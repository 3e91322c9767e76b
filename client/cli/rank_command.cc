// waterflow rank: which workers have the most of a metric, and who is far off.
#include <iostream>
#include <map>
#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/format.h"
#include "client/cli/select.h"
#include "client/cli/table.h"

namespace waterflow::cli {
namespace {

struct Options {
  std::string run;
  std::string metric;
  std::string by = "mean";
  std::string step_range;
  bool lowest = false;
  uint32_t limit = 10;
  double outliers = 0;
};

const std::map<std::string, v1::WorkerStatistic>& Statistics() {
  static const auto& statistics =
      *new std::map<std::string, v1::WorkerStatistic>{
          {"mean", v1::WORKER_STATISTIC_MEAN},
          {"min", v1::WORKER_STATISTIC_MIN},
          {"max", v1::WORKER_STATISTIC_MAX},
          {"first", v1::WORKER_STATISTIC_FIRST},
          {"last", v1::WORKER_STATISTIC_LAST},
          {"sum", v1::WORKER_STATISTIC_SUM},
          {"stddev", v1::WORKER_STATISTIC_STDDEV},
          {"count", v1::WORKER_STATISTIC_COUNT},
          {"non-finite", v1::WORKER_STATISTIC_NON_FINITE},
          {"difference", v1::WORKER_STATISTIC_DIFFERENCE}};
  return statistics;
}

absl::Status Rank(Api& api, const Options& options) {
  auto run = FindRun(api, options.run);
  if (!run.ok()) return run.status();
  v1::RankWorkersRequest request;
  request.set_run_id(run->id());
  request.set_metric(options.metric);
  request.set_by(Statistics().at(options.by));
  request.set_lowest_first(options.lowest);
  request.set_limit(options.limit);
  request.set_min_deviation(options.outliers);
  if (!options.step_range.empty()) {
    auto range = ParseStepRange(options.step_range);
    if (!range.ok()) return range.status();
    *request.mutable_step_range() = *range;
  }
  auto ranking = Call(*api.query, &v1::Query::Stub::RankWorkers, request);
  if (!ranking.ok()) return ranking.status();
  Table table({">worker", ">" + options.by, ">deviation", ">min", ">mean",
               ">max", ">last", ">values", ">NaN/Inf"});
  for (const v1::RankedWorker& ranked : ranking->workers()) {
    const v1::Buckets& b = ranked.points();
    const uint64_t odd =
        b.nan_count(0) + b.pos_inf_count(0) + b.neg_inf_count(0);
    table.Add({WorkerText(ranked.worker()), ShortValue(ranked.value()),
               ShortValue(ranked.deviation()), ShortValue(b.min(0)),
               ShortValue(b.mean(0)), ShortValue(b.max(0)),
               ShortValue(b.last(0)), WithCommas(b.count(0) + odd),
               odd > 0 ? WithCommas(odd) : ""});
  }
  table.Print(std::cout);
  std::cout << WithCommas(ranking->workers_size()) << " of "
            << WithCommas(ranking->worker_count()) << " workers; median "
            << ShortValue(ranking->median()) << ", median absolute deviation "
            << ShortValue(ranking->mad()) << '\n';
  return absl::OkStatus();
}

}  // namespace

void AddRankCommand(CLI::App& app, Session* session) {
  CLI::App* rank = app.add_subcommand(
      "rank", "Which workers have the most of a metric, and who is far off");
  rank->footer(
      "deviation: distance from the median over workers, in median absolute\n"
      "deviations x 1.4826; beyond 3.5 is an outlier. difference: the "
      "greatest\n"
      "distance of a value from the median of its step, 0 where all ranks "
      "agree.\n\n"
      "Examples:\n"
      "  waterflow rank --run lm_base --metric train/loss --by difference\n"
      "  waterflow rank --run lm_base --metric perf/step_time_s --by max "
      "--limit 3\n"
      "  waterflow rank --run lm_base --metric sys/cpu --outliers 3.5");
  auto options = std::make_shared<Options>();
  rank->add_option("RUN,--run", options->run, "Id, first digits of it, or name")
      ->type_name("")
      ->required();
  rank->add_option("--metric", options->metric, "Name of the metric")
      ->type_name("METRIC")
      ->required();
  std::vector<std::string> names;
  for (const auto& [name, unused] : Statistics()) names.push_back(name);
  rank->add_option("--by", options->by, "What of a worker's values to compare")
      ->type_name("")
      ->check(CLI::IsMember(names))
      ->capture_default_str();
  rank->add_option("--step-range", options->step_range,
                   "Steps A to B, both included; either may be left out")
      ->type_name("A:B")
      ->check(ParsedBy(ParseStepRange));
  rank->add_flag("--lowest", options->lowest, "The least first");
  rank->add_option("--limit", options->limit, "At most so many workers")
      ->type_name("N")
      ->check(CLI::Range(1u, 10000u).description(""))
      ->capture_default_str();
  rank->add_option("--outliers", options->outliers,
                   "Only workers at least so far off, such as 3.5")
      ->type_name("DEVIATION")
      ->check(CLI::NonNegativeNumber.description(""));
  rank->callback(
      [=] { session->action = [=](Api& api) { return Rank(api, *options); }; });
}

}  // namespace waterflow::cli
