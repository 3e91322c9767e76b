// Sets up what a part of the suite measures: a fresh server, workers encoded
// for it, a load on it, its disk on the scales.
#ifndef WATERFLOW_BENCH_BED_H_
#define WATERFLOW_BENCH_BED_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bench/dataset.h"
#include "bench/load.h"
#include "bench/report.h"
#include "bench/suite.h"
#include "bench/target.h"
#include "bench/worker_load.h"

namespace waterflow::bench {

class Bed {
 public:
  // Both must outlive it; `setting` is told what the server says of itself.
  Bed(const SuiteOptions& options, Setting* setting)
      : options_(options), setting_(*setting) {}

  absl::StatusOr<std::unique_ptr<Target>> Start();
  // Makes the dataset's runs on `target`.
  absl::StatusOr<std::vector<WorkerLoad>> Encode(const Dataset& dataset,
                                                 uint32_t rows, Target& target);
  // A run of the last Encode.
  const std::string& run_id(const std::string& name) { return runs_[name]; }

  // Sends each batch once and adds what was measured to `figures`.
  absl::Status Load(Target& target, const std::vector<WorkerLoad>& workers,
                    LoadFigures* figures);
  // Has a server of ours settle, then weighs what lies on its disk.
  absl::Status Weigh(Target& target, LoadFigures* figures);

 private:
  const SuiteOptions& options_;
  Setting& setting_;
  std::map<std::string, std::string> runs_;  // ids by name
};

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_BED_H_
