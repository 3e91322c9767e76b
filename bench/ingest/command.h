// waterflow-bench ingest and waterflow-bench compare, as typed.
#ifndef WATERFLOW_BENCH_INGEST_COMMAND_H_
#define WATERFLOW_BENCH_INGEST_COMMAND_H_

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "bench/ingest/plan.h"

namespace waterflow::bench {

class IngestCommand {
 public:
  // `defaults` says where programs and folders are.
  IngestCommand(const PeerOptions& defaults, CLI::App* app);

  bool parsed() const { return app_->parsed(); }
  // Returns the exit code.
  int Run();

 private:
  CLI::App* const app_;
  IngestOptions options_;
  double seconds_ = 60;
  bool quick_ = false;
  std::string json_;
};

class CompareCommand {
 public:
  explicit CompareCommand(CLI::App* app);

  bool parsed() const { return app_->parsed(); }
  int Run() const;

 private:
  CLI::App* const app_;
  std::string a_;
  std::string b_;
};

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_INGEST_COMMAND_H_
