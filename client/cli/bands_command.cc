// waterflow bands: one metric of many runs along one axis, and the mean and
// spread of groups of them.
#include <cmath>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/commands.h"
#include "client/cli/csv.h"
#include "client/cli/format.h"
#include "client/cli/select.h"
#include "client/cli/table.h"

namespace waterflow::cli {
namespace {

struct Options {
  std::vector<std::string> runs;
  std::string filter;
  std::vector<std::string> order_by;
  std::string project;
  uint32_t limit = 1000;
  std::string metric;
  std::string axis = "step";
  std::string x_metric;
  std::string step_range;
  uint32_t points = 20;
  std::string reduce = "default";
  std::vector<std::string> group_by;
  std::string format = "table";
};

v1::Reduction ReductionOf(const std::string& name) {
  if (name == "sum") return v1::REDUCTION_SUM;
  if (name == "min") return v1::REDUCTION_MIN;
  if (name == "max") return v1::REDUCTION_MAX;
  return name == "mean" ? v1::REDUCTION_MEAN : v1::REDUCTION_DEFAULT;
}

v1::Axis AxisOf(const std::string& name) {
  if (name == "time") return v1::AXIS_TIME;
  return name == "relative" ? v1::AXIS_RELATIVE_TIME : v1::AXIS_STEP;
}

absl::StatusOr<v1::BandsRequest> RequestOf(Api& api, const Options& options) {
  v1::BandsRequest request;
  if (!options.runs.empty()) {
    auto runs = FindRuns(api, options.runs);
    if (!runs.ok()) return runs.status();
    for (const v1::Run& run : *runs) request.add_run_ids(run.id());
  } else {
    v1::RunFilter* const filter = request.mutable_run_filter();
    filter->set_filter(options.filter);
    filter->set_limit(options.limit);
    if (!options.project.empty()) filter->add_projects(options.project);
    for (const std::string& order : options.order_by) {
      filter->add_order_by(order);
    }
  }
  request.set_metric(options.metric);
  request.set_x_metric(options.x_metric);
  if (options.x_metric.empty()) request.set_axis(AxisOf(options.axis));
  if (!options.step_range.empty()) {
    *request.mutable_step_range() = *ParseStepRange(options.step_range);
  }
  request.set_max_points(options.points);
  request.set_reduction(ReductionOf(options.reduce));
  for (const std::string& field : options.group_by) {
    request.add_group_by(field);
  }
  return request;
}

// How the buckets of an answer are printed: a row each.
class Rows {
 public:
  explicit Rows(const Options& options) : options_(options) {}

  std::vector<std::string> Headers() const {
    std::vector<std::string> headers = options_.group_by;
    for (const char* name :
         {">from", ">to", ">runs", ">mean", ">stddev", ">min", ">max",
          ">min of", ">max of", ">NaN/Inf"}) {
      headers.emplace_back(exact() ? name + 1 : name);
    }
    return headers;
  }
  std::vector<std::string> Row(const v1::RunGroup& group, int i) const {
    const v1::Buckets& b = group.buckets();
    std::vector<std::string> row;
    for (int k = 0; k < group.key_size(); ++k) {
      row.push_back(group.key(k).has_text() ? group.key(k).text() : "");
    }
    if (group.first_x_size() > 0) {
      row.push_back(Value(group.first_x(i)));
      row.push_back(Value(group.last_x(i)));
    } else {
      row.push_back(Position(b.first_position(i)));
      row.push_back(Position(b.last_position(i)));
    }
    row.push_back(absl::StrCat(b.count(i)));
    for (const double value : {b.mean(i), b.stddev(i), b.min(i), b.max(i)}) {
      row.push_back(Value(value));
    }
    const bool any = b.count(i) > 0;
    row.push_back(any ? RunText(group.run_ids(b.min_worker(i))) : "");
    row.push_back(any ? RunText(group.run_ids(b.max_worker(i))) : "");
    const uint64_t others =
        b.nan_count(i) + b.pos_inf_count(i) + b.neg_inf_count(i);
    row.push_back(others > 0 || exact() ? absl::StrCat(others) : "");
    return row;
  }

 private:
  bool exact() const { return options_.format == "csv"; }
  std::string Value(double value) const {
    return exact() ? ExactValue(value) : ShortValue(value);
  }
  std::string Position(int64_t position) const {
    return exact() ? absl::StrCat(position)
                   : PositionText(AxisOf(options_.axis), position);
  }
  std::string RunText(const std::string& id) const {
    return exact() ? id : ShortId(id);
  }

  const Options& options_;
};

absl::Status Print(Api& api, const Options& options) {
  absl::StatusOr<v1::BandsRequest> request = RequestOf(api, options);
  if (!request.ok()) return request.status();
  grpc::ClientContext context;
  auto call = api.query->Bands(&context, *request);
  const Rows rows(options);
  Table table(rows.Headers());
  if (options.format == "csv") PrintCsvRow(rows.Headers());
  bool any = false;
  v1::BandsResponse part;
  while (call->Read(&part)) {
    for (int i = 0; i < part.group().buckets().count_size(); ++i) {
      any = true;
      std::vector<std::string> row = rows.Row(part.group(), i);
      if (options.format == "csv") {
        PrintCsvRow(row);
      } else {
        table.Add(std::move(row));
      }
    }
  }
  if (absl::Status s = client::FromGrpc(call->Finish()); !s.ok()) return s;
  if (options.format == "csv") return absl::OkStatus();
  if (!any) std::cout << "no points\n";
  table.Print(std::cout);
  return absl::OkStatus();
}

}  // namespace

void AddBandsCommand(CLI::App& app, Session* session) {
  auto options = std::make_shared<Options>();
  CLI::App* bands = app.add_subcommand(
      "bands", "One metric of many runs: mean and spread of groups of them");
  bands->footer(
      "Examples:\n"
      "  waterflow bands --metric val/loss --group-by params.lr\n"
      "  waterflow bands --metric train/loss --x-metric tokens --filter "
      "\"tags.sweep = 'b'\" --group-by params.lr --group-by params.batch\n"
      "  waterflow bands --metric train/loss --axis relative --group-by run_id "
      "--format csv > curves.csv");
  bands->add_option("--metric", options->metric, "Name of the metric")
      ->type_name("NAME")
      ->required();
  bands
      ->add_option("--group-by", options->group_by,
                   "Runs that agree in it are one group: params.KEY, tags.KEY, "
                   "name, project, status; run_id: each alone; may be repeated "
                   "[all runs are one]")
      ->type_name("FIELD")
      ->allow_extra_args(false);
  bands
      ->add_option("--run", options->runs,
                   "Id, first digits of it, or name; may be repeated [those "
                   "that --filter finds]")
      ->type_name("RUN")
      ->allow_extra_args(false);
  bands
      ->add_option("--filter", options->filter,
                   "Only runs that match, as docs/search.md says")
      ->type_name("FILTER");
  bands->add_option("--project", options->project, "Only runs of this project")
      ->type_name("NAME");
  bands
      ->add_option("--order-by", options->order_by,
                   "Which come first, when there are more than --limit")
      ->type_name("FIELD");
  bands->add_option("--limit", options->limit, "At most so many runs")
      ->type_name("N")
      ->capture_default_str();
  bands->add_option("--axis", options->axis, "What runs are aligned by")
      ->type_name("")
      ->check(CLI::IsMember({"step", "time", "relative"}))
      ->capture_default_str();
  bands
      ->add_option("--x-metric", options->x_metric,
                   "Align by this metric's values at the same steps instead")
      ->type_name("NAME");
  bands
      ->add_option("--step-range", options->step_range,
                   "Steps A to B, both included; either may be left out")
      ->type_name("A:B")
      ->check(ParsedBy(ParseStepRange));
  bands
      ->add_option("--points", options->points,
                   "At most so many buckets; 0: each step")
      ->type_name("N")
      ->capture_default_str();
  bands
      ->add_option("--reduce", options->reduce,
                   "How the workers of a run become one; default: as the "
                   "metric says")
      ->type_name("")
      ->check(CLI::IsMember({"mean", "sum", "min", "max", "default"}))
      ->capture_default_str();
  bands
      ->add_option("--format", options->format,
                   "csv: whole ids and exact values")
      ->type_name("")
      ->check(CLI::IsMember({"table", "csv"}))
      ->capture_default_str();
  bands->callback([=] {
    session->action = [=](Api& api) { return Print(api, *options); };
  });
}

}  // namespace waterflow::cli
