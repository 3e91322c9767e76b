#include "bench/query/command.h"

#include <fstream>
#include <iostream>

#include "bench/ingest/shape.h"
#include "bench/peer_flags.h"

namespace waterflow::bench {

QueryCommand::QueryCommand(const PeerOptions& defaults, CLI::App* app)
    : app_(app->add_subcommand(
          "query",
          "What a dashboard asks, of Waterflow and of other systems as far as "
          "they are installed (bench/peers/install), and what dashboards cost "
          "ingest beside them")) {
  options_.peer = defaults;
  app_->add_option("--only", options_.questions, "Ask these questions only")
      ->delimiter(',')
      ->check(CLI::IsMember(QuestionKeys()));
  app_->add_option("--subjects", options_.subjects, "Ask these only")
      ->delimiter(',')
      ->check(
          CLI::IsMember({kWaterflow, kVictoriaMetrics, kPrometheus, kDuckDb}));
  app_->add_option("--seconds", seconds_, "How long each question is asked")
      ->check(CLI::Range(0.1, 600.0))
      ->capture_default_str();
  app_->add_option(
          "--beside", beside_seconds_,
          "Seconds of ingest alone and of ingest beside dashboards; 0: "
          "leave it out")
      ->check(CLI::Range(0.0, 600.0))
      ->capture_default_str();
  app_->add_option("--json", json_, "Also write the figures to this file")
      ->type_name("FILE");
  AddPeerFlags(app_, &options_.peer);
}

int QueryCommand::Run() {
  options_.duration = absl::Seconds(seconds_);
  options_.beside = absl::Seconds(beside_seconds_);
  QueryResults results;
  const absl::Status status = RunQuestions(options_, &results);
  PrintQuestions(results, std::cout);
  if (!json_.empty()) std::ofstream(json_) << ToJson(results);
  if (status.ok()) return 0;
  std::cerr << "waterflow-bench: " << status.message() << "\n";
  return 1;
}

}  // namespace waterflow::bench
