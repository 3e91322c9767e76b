// waterflow tail: points as they come.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/format.h"
#include "client/cli/selection_options.h"

namespace waterflow::cli {
namespace {

struct Options {
  SelectionOptions selection;
  uint64_t last = 0;
  uint64_t points = 0;
  std::string resume_file;
};

// One line a point: run, metric, worker, step, time, value.
class Printer {
 public:
  explicit Printer(std::map<std::string, std::string> run_names)
      : run_names_(std::move(run_names)) {}

  void Print(const v1::SeriesPart& part) {
    const auto name = run_names_.find(part.run_id());
    const std::string series = absl::StrCat(
        name == run_names_.end() ? ShortId(part.run_id()) : name->second, "\t",
        part.metric(), "\t", WorkerText(part.worker()), "\t");
    for (int i = 0; i < part.values_size(); ++i) {
      const bool has_step = part.has_step().empty() || part.has_step(i);
      std::cout << series << (has_step ? absl::StrCat(part.steps(i)) : "")
                << '\t' << LocalTime(part.times_ns(i)) << '\t'
                << ExactValue(part.values(i)) << '\n';
    }
    points_ += part.values_size();
  }
  uint64_t points() const { return points_; }

 private:
  const std::map<std::string, std::string> run_names_;
  uint64_t points_ = 0;
};

absl::Status LoadToken(const std::string& path, std::string* token) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return absl::OkStatus();  // the first time
  token->assign(std::istreambuf_iterator<char>(in), {});
  if (!in.bad()) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(path, ": cannot be read"));
}

// Through a second file, so that a cut never leaves half a token.
absl::Status SaveToken(const std::string& path, const std::string& token) {
  const std::string fresh = path + ".new";
  {
    std::ofstream out(fresh, std::ios::binary);
    out << token;
    if (!out.flush()) {
      return absl::UnavailableError(absl::StrCat(fresh, ": cannot be written"));
    }
  }
  if (std::rename(fresh.c_str(), path.c_str()) == 0) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(path, ": cannot be replaced"));
}

absl::Status Tail(Api& api, const Options& options) {
  v1::TailRequest request;
  if (absl::Status s = FillSelection(options.selection, &request); !s.ok()) {
    return s;
  }
  auto runs = SelectedRuns(api, options.selection);
  if (!runs.ok()) return runs.status();
  std::map<std::string, std::string> run_names;
  for (const v1::Run& run : *runs) {
    request.add_run_ids(run.id());
    run_names[run.id()] = run.name();
  }
  request.set_last_rows(options.last);
  if (!options.resume_file.empty()) {
    if (absl::Status s =
            LoadToken(options.resume_file, request.mutable_resume_token());
        !s.ok()) {
      return s;
    }
  }
  grpc::ClientContext context;
  const auto call = api.query->Tail(&context, request);
  Printer printer(std::move(run_names));
  v1::TailResponse response;
  while (call->Read(&response)) {
    for (const v1::TailPart& part : response.parts()) {
      printer.Print(part.series());
    }
    std::cout.flush();
    if (!std::cout) context.TryCancel();  // nobody reads any more
    if (!options.resume_file.empty()) {
      if (absl::Status s =
              SaveToken(options.resume_file, response.resume_token());
          !s.ok()) {
        context.TryCancel();
        return s;
      }
    }
    if (options.points > 0 && printer.points() >= options.points) {
      context.TryCancel();
      return absl::OkStatus();
    }
  }
  return client::FromGrpc(call->Finish());
}

}  // namespace

void AddTailCommand(CLI::App& app, Session* session) {
  auto options = std::make_shared<Options>();
  CLI::App* tail = app.add_subcommand(
      "tail",
      "Points as they come: run, metric, worker, step, time and value, with "
      "tabs between");
  tail->footer(
      "Examples:\n"
      "  waterflow tail --run lm_base --metric train/loss --last 10\n"
      "  waterflow tail --run lm_base --metric 'grad/*' --ranks 0-7\n"
      "  waterflow tail --project lm --metric train/loss --resume-file "
      "loss.token >> loss.tsv");
  AddSelectionOptions(tail, &options->selection);
  tail->add_option("--last", options->last,
                   "Begin with the newest so many rows of each worker")
      ->type_name("N")
      ->capture_default_str();
  tail->add_option("--points", options->points,
                   "End after so many points, or a few more [never]")
      ->type_name("N");
  tail->add_option("--resume-file", options->resume_file,
                   "Go on where the call before with this file ended; it is "
                   "made if it is not there")
      ->type_name("FILE");
  tail->callback(
      [=] { session->action = [=](Api& api) { return Tail(api, *options); }; });
}

}  // namespace waterflow::cli
