// waterflow-bench query, as typed.
#ifndef WATERFLOW_BENCH_QUERY_COMMAND_H_
#define WATERFLOW_BENCH_QUERY_COMMAND_H_

#include <CLI/CLI.hpp>
#include <string>

#include "bench/query/suite.h"

namespace waterflow::bench {

class QueryCommand {
 public:
  // `defaults` says where programs and folders are.
  QueryCommand(const PeerOptions& defaults, CLI::App* app);

  bool parsed() const { return app_->parsed(); }
  // Returns the exit code.
  int Run();

 private:
  CLI::App* const app_;
  QueryOptions options_;
  double seconds_ = 3;
  double beside_seconds_ = 20;
  std::string json_;
};

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_QUERY_COMMAND_H_
