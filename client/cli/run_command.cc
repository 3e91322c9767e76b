// waterflow run list | show | delete; `table` has a file of its own.
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/format.h"
#include "client/cli/select.h"
#include "client/cli/table.h"

namespace waterflow::cli {
namespace {

constexpr size_t kWidestTag = 72;

// Which runs to list, and how many; 0: all.
struct Selection {
  std::string project;
  std::string filter;
  std::vector<std::string> order_by;
  uint32_t limit = 0;
};

absl::StatusOr<std::vector<v1::FoundRun>> FindAll(Api& api,
                                                  const Selection& selection) {
  constexpr uint32_t kPageSize = 1000;
  v1::SearchRunsRequest request;
  if (!selection.project.empty()) request.add_projects(selection.project);
  request.set_filter(selection.filter);
  for (const std::string& order : selection.order_by) {
    request.add_order_by(order);
  }
  if (selection.order_by.empty()) request.add_order_by("created_time DESC");
  std::vector<v1::FoundRun> runs;
  do {
    const auto found = static_cast<uint32_t>(runs.size());
    request.set_page_size(selection.limit == 0
                              ? kPageSize
                              : std::min(kPageSize, selection.limit - found));
    auto page = Call(*api.tracking, &v1::Tracking::Stub::SearchRuns, request);
    if (!page.ok()) return page.status();
    for (v1::FoundRun& run : *page->mutable_runs()) {
      runs.push_back(std::move(run));
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty() &&
           (selection.limit == 0 || runs.size() < selection.limit));
  return runs;
}

absl::Status List(Api& api, const Selection& selection) {
  auto runs = FindAll(api, selection);
  if (!runs.ok()) return runs.status();
  // The metrics that were asked about have a column each.
  std::set<std::string> metrics;
  for (const v1::FoundRun& found : *runs) {
    for (const auto& [metric, value] : found.metrics()) metrics.insert(metric);
  }
  std::vector<std::string> headers = {"run",     "project",  "name",
                                      "status",  ">workers", ">rows",
                                      ">values", "started",  ">took"};
  for (const std::string& metric : metrics) headers.push_back(">" + metric);
  Table table(std::move(headers));
  for (const v1::FoundRun& found : *runs) {
    const v1::Run& run = found.run();
    std::vector<std::string> cells = {
        ShortId(run.id()),
        run.project(),
        run.name(),
        StatusText(run.status()),
        WithCommas(run.worker_count()),
        WithCommas(run.row_count()),
        WithCommas(run.value_count()),
        LocalTime(run.start_ns()),
        run.end_ns() > 0 ? ShortDuration(run.end_ns() - run.start_ns()) : ""};
    for (const std::string& metric : metrics) {
      const auto value = found.metrics().find(metric);
      cells.push_back(
          value == found.metrics().end() ? "" : ShortValue(value->second));
    }
    table.Add(std::move(cells));
  }
  table.Print(std::cout);
  if (runs->empty()) std::cout << "no runs\n";
  return absl::OkStatus();
}

template <typename Map>
void PrintTags(const char* title, const Map& tags) {
  if (tags.empty()) return;
  std::cout << title << '\n';
  Table table({"  key", "value"});
  // protobuf's maps have no order.
  for (const auto& [key, value] :
       std::map<std::string, std::string>(tags.begin(), tags.end())) {
    std::string text = value.substr(0, value.find('\n'));
    if (text.size() > kWidestTag) text.resize(kWidestTag);
    if (text.size() < value.size()) text += " ...";
    table.Add({"  " + key, text});
  }
  table.Print(std::cout);
}

absl::Status Show(Api& api, const std::string& name) {
  auto run = FindRun(api, name);
  if (!run.ok()) return run.status();
  Table table({"run", run->id()});
  table.Add({"name", run->name()});
  table.Add({"project", run->project()});
  table.Add({"status", StatusText(run->status())});
  table.Add({"started", LocalTime(run->start_ns())});
  if (run->end_ns() > 0) {
    table.Add(
        {"ended",
         absl::StrCat(LocalTime(run->end_ns()), " (after ",
                      ShortDuration(run->end_ns() - run->start_ns()), ")")});
  }
  table.Add({"workers", WithCommas(run->worker_count())});
  table.Add({"rows", WithCommas(run->row_count())});
  table.Add({"values", WithCommas(run->value_count())});
  table.Add({"attempt", WithCommas(run->attempt())});
  if (!run->key().empty()) table.Add({"key", run->key()});
  if (run->has_forked_from()) {
    table.Add(
        {"forked from", absl::StrCat(run->forked_from().run_id(), " at step ",
                                     run->forked_from().step())});
  }
  table.Print(std::cout);
  PrintTags("params", run->params());
  PrintTags("tags", run->tags());
  return absl::OkStatus();
}

absl::Status Delete(Api& api, const std::vector<std::string>& names) {
  auto runs = FindRuns(api, names);
  if (!runs.ok()) return runs.status();
  for (const v1::Run& run : *runs) {
    v1::DeleteRunRequest request;
    request.set_run_id(run.id());
    auto done = Call(*api.tracking, &v1::Tracking::Stub::DeleteRun, request);
    if (!done.ok()) return done.status();
    std::cout << "deleted " << ShortId(run.id()) << " " << run.name() << '\n';
  }
  return absl::OkStatus();
}

}  // namespace

void AddRunCommand(CLI::App& app, Session* session) {
  CLI::App* run =
      app.add_subcommand("run", "List, compare, show and delete runs");
  run->require_subcommand(1);
  run->footer(
      "Examples:\n"
      "  waterflow run list --project trace\n"
      "  waterflow run list --filter \"metrics.loss < 0.3 and params.lr = "
      "'1e-4'\" --order-by metrics.loss --limit 20\n"
      "  waterflow run table --column params.lr --column "
      "'min(metrics.loss)'\n"
      "  waterflow run show lm_base\n"
      "  waterflow run delete 3f2a91c0");

  CLI::App* list = run->add_subcommand(
      "list", "All runs, or those that match; newest first");
  auto selection = std::make_shared<Selection>();
  list->add_option("--project", selection->project,
                   "Only the runs of this project")
      ->type_name("NAME");
  list->add_option("--filter", selection->filter,
                   "Only runs that match, as docs/search.md says: comparisons "
                   "of metrics.KEY, params.KEY, tags.KEY, status, name, "
                   "start_time, ... with AND, OR, NOT")
      ->type_name("FILTER");
  list->add_option("--order-by", selection->order_by,
                   "Fields, each with ASC or DESC behind it, for example "
                   "'metrics.loss DESC'")
      ->type_name("FIELD");
  list->add_option("--limit", selection->limit, "At most so many; 0: all")
      ->type_name("N");
  list->callback([=] {
    session->action = [=](Api& api) { return List(api, *selection); };
  });

  AddRunTableCommand(*run, session);

  CLI::App* show = run->add_subcommand("show", "Everything known about a run");
  auto name = std::make_shared<std::string>();
  show->add_option("RUN,--run", *name, "Id, first digits of it, or name")
      ->type_name("")
      ->required();
  show->callback(
      [=] { session->action = [=](Api& api) { return Show(api, *name); }; });

  CLI::App* remove = run->add_subcommand(
      "delete", "Delete runs with all their values, for good");
  auto names = std::make_shared<std::vector<std::string>>();
  remove->add_option("RUN,--run", *names, "Id, first digits of it, or name")
      ->type_name("")
      ->required();
  remove->callback(
      [=] { session->action = [=](Api& api) { return Delete(api, *names); }; });
}

}  // namespace waterflow::cli
