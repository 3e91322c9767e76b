// waterflow-storage-bench: measures the engine without a server around it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/report.h"
#include "bench/storage/parts.h"
#include "storage/engine.h"

namespace waterflow::bench {
namespace {

std::vector<std::string> PartNames() {
  std::vector<std::string> names;
  for (const StoragePart& part : StorageParts()) names.push_back(part.name);
  return names;
}

int Main(int argc, char** argv) {
  StorageOptions options;
  std::error_code error;
  options.trace = "examples/trace";
  options.scratch = std::filesystem::temp_directory_path(error);
  std::vector<std::string> only;
  std::string json_path;
  CLI::App app(
      "Measures Waterflow's storage engine in this process: bytes on disk, CPU "
      "of sealing, memory of series, recovery and reads.",
      "waterflow-storage-bench");
  app.add_option("--only", only, "Run these parts only")
      ->delimiter(',')
      ->check(CLI::IsMember(PartNames()));
  app.add_flag("--quick", options.quick, "Small sizes, for a look");
  app.add_option("--trace", options.trace, "Folder of the recorded telemetry")
      ->capture_default_str();
  app.add_option("--scratch", options.scratch,
                 "Folder on the disk to measure; stores are removed again")
      ->capture_default_str();
  app.add_option("--json", json_path, "Also write the figures to this file")
      ->type_name("FILE");
  CLI11_PARSE(app, argc, argv);

  const Setting here = Here();
  std::vector<Figure> all;
  int failed = 0;
  for (const StoragePart& part : StorageParts()) {
    if (!only.empty() &&
        std::find(only.begin(), only.end(), part.name) == only.end()) {
      continue;
    }
    std::cerr << part.name << " ..." << std::endl;
    const Figures figures = InChild([&] { return part.measure(options); });
    if (!figures.ok()) {
      std::cerr << "waterflow-storage-bench: " << part.name << ": "
                << figures.status().message() << "\n";
      failed = 1;
      continue;
    }
    all.insert(all.end(), figures->begin(), figures->end());
  }
  std::cout << here.date << ", " << here.cores << " x " << here.cpu_model
            << ", " << storage::StorageVersion() << "\n";
  PrintFigures(all, std::cout);
  if (!json_path.empty()) {
    const nlohmann::json report = {{"date", here.date},
                                   {"cpu", here.cpu_model},
                                   {"cores", here.cores},
                                   {"storage", storage::StorageVersion()},
                                   {"figures", ToJson(all)}};
    std::ofstream(json_path) << report.dump(2) << "\n";
  }
  return failed;
}

}  // namespace
}  // namespace waterflow::bench

int main(int argc, char** argv) { return waterflow::bench::Main(argc, argv); }
