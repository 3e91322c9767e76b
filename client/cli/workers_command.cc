// waterflow workers: who logs in a run, and what each worker's values of a
// metric look like.
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/commands.h"
#include "client/cli/format.h"
#include "client/cli/select.h"
#include "client/cli/table.h"

namespace waterflow::cli {
namespace {

absl::Status Presence(Api& api, const v1::Run& run) {
  v1::ListWorkersRequest request;
  request.set_run_id(run.id());
  auto workers = Call(*api.query, &v1::Query::Stub::ListWorkers, request);
  if (!workers.ok()) return workers.status();
  Table table({">worker", ">attempt", ">rows", "first seen", "last seen",
               ">clock offset"});
  for (const v1::WorkerInfo& info : workers->workers()) {
    table.Add(
        {WorkerText(info.worker()), WithCommas(info.attempt()),
         WithCommas(info.rows()), LocalTime(info.first_seen_ns()),
         LocalTime(info.last_seen_ns()),
         absl::StrFormat("%.3f ms",
                         static_cast<double>(info.clock_offset_ns()) / 1e6)});
  }
  table.Print(std::cout);
  if (workers->workers().empty()) std::cout << "no workers\n";
  return absl::OkStatus();
}

absl::Status Values(Api& api, const v1::Run& run,
                    const std::vector<std::string>& metrics) {
  v1::LastValuesRequest request;
  request.set_run_id(run.id());
  for (const std::string& metric : metrics) request.add_metrics(metric);
  auto last = Call(*api.query, &v1::Query::Stub::LastValues, request);
  if (!last.ok()) return last.status();
  Table table({"metric", ">worker", ">min", ">mean", ">max", ">last", ">values",
               ">NaN/Inf"});
  for (const v1::LastValue& value : last->values()) {
    const uint64_t odd =
        value.nan_count() + value.pos_inf_count() + value.neg_inf_count();
    table.Add({value.metric(), WorkerText(value.worker()),
               ShortValue(value.min()), ShortValue(value.mean()),
               ShortValue(value.max()), ShortValue(value.value()),
               WithCommas(value.count() + odd),
               odd > 0 ? WithCommas(odd) : ""});
  }
  table.Print(std::cout);
  return absl::OkStatus();
}

}  // namespace

void AddWorkersCommand(CLI::App& app, Session* session) {
  struct Options {
    std::string run;
    std::vector<std::string> metrics;
  };
  auto options = std::make_shared<Options>();
  CLI::App* workers = app.add_subcommand(
      "workers", "The workers of a run, or a metric's values worker by worker");
  workers->footer(
      "Examples:\n"
      "  waterflow workers --run lm_base\n"
      "  waterflow workers --run lm_base --metric train/loss");
  workers
      ->add_option("RUN,--run", options->run, "Id, first digits of it, or name")
      ->type_name("")
      ->required();
  workers
      ->add_option("--metric", options->metrics,
                   "Minimum, mean, maximum and last value of this metric; "
                   "may be repeated")
      ->type_name("METRIC")
      ->allow_extra_args(false);
  workers->callback([=] {
    session->action = [=](Api& api) -> absl::Status {
      auto run = FindRun(api, options->run);
      if (!run.ok()) return run.status();
      if (options->metrics.empty()) return Presence(api, *run);
      return Values(api, *run, options->metrics);
    };
  });
}

}  // namespace waterflow::cli
