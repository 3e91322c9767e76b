#include "bench/ingest/command.h"

#include <fstream>
#include <iostream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "bench/ingest/compare.h"
#include "bench/ingest/shape.h"
#include "bench/ingest/table.h"
#include "bench/peer_flags.h"

namespace waterflow::bench {
namespace {

std::vector<std::string> ShapeKeys() {
  std::vector<std::string> keys;
  for (const Shape& shape : Shapes()) keys.push_back(shape.key);
  return keys;
}

absl::StatusOr<Results> ReadResults(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  std::stringstream text;
  text << file.rdbuf();
  absl::StatusOr<Results> results = FromJson(text.str());
  if (!results.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ", results.status().message()));
  }
  return results;
}

}  // namespace

IngestCommand::IngestCommand(const PeerOptions& defaults, CLI::App* app)
    : app_(app->add_subcommand(
          "ingest",
          "Every shape of load on Waterflow, on a byte sink and an append-only "
          "file behind the same front, and on other systems as far as they are "
          "installed (bench/peers/install)")) {
  options_.peer = defaults;
  options_.trace = "examples/trace";
  app_->add_option("--only", options_.shapes, "Run these shapes only")
      ->delimiter(',')
      ->check(CLI::IsMember(ShapeKeys()));
  app_->add_option("--subjects", options_.subjects, "Run them on these only")
      ->delimiter(',')
      ->check(CLI::IsMember(Subjects()));
  app_->add_option("--seconds", seconds_,
                   "Steady window of the main shapes; others take a part of "
                   "it, and Waterflow's goes on until 8 seals")
      ->check(CLI::Range(1.0, 3600.0))
      ->capture_default_str();
  app_->add_option("--repeat", options_.repeat,
                   "Interleaved repetitions; the table has their median")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app_->add_flag("--quick", quick_,
                 "One repetition with windows of 4 s: does it work?");
  app_->add_option("--json", json_,
                   "Also write all repetitions to this file, for compare and "
                   "bench/report; it grows as they end")
      ->type_name("FILE");
  app_->add_option("--seed", options_.seed, "Seed of the values")
      ->capture_default_str();
  app_->add_option("--client-threads", options_.peer.client_threads,
                   "Threads that make the load over gRPC")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app_->add_option("--trace", options_.trace,
                   "Folder of the recorded telemetry")
      ->capture_default_str();
  AddPeerFlags(app_, &options_.peer);
}

int IngestCommand::Run() {
  if (quick_) options_.repeat = 1;
  options_.window = absl::Seconds(quick_ ? 4 : seconds_);
  Results results;
  const auto save = [this](const Results& so_far) {
    if (!json_.empty()) std::ofstream(json_) << ToJson(so_far);
  };
  const absl::Status status = RunIngest(options_, save, &results);
  PrintIngest(results, std::cout);
  if (status.ok()) return 0;
  std::cerr << "waterflow-bench: " << status.message() << "\n";
  return 1;
}

CompareCommand::CompareCommand(CLI::App* app)
    : app_(app->add_subcommand(
          "compare",
          "What differs between two runs of ingest by more than repetitions "
          "differ among themselves")) {
  app_->add_option("A", a_, "What ingest --json wrote before")
      ->required()
      ->check(CLI::ExistingFile);
  app_->add_option("B", b_, "... and after")
      ->required()
      ->check(CLI::ExistingFile);
}

int CompareCommand::Run() const {
  const absl::StatusOr<Results> a = ReadResults(a_);
  const absl::StatusOr<Results> b = ReadResults(b_);
  for (const auto* results : {&a, &b}) {
    if (results->ok()) continue;
    std::cerr << "waterflow-bench: " << results->status().message() << "\n";
    return 1;
  }
  PrintChanges(*a, *b, Compare(*a, *b), std::cout);
  return 0;
}

}  // namespace waterflow::bench
