// What small and slow series leave on disk: keys and bytes after a flush, and
// the cost of a read of the newest rows of many workers, before any merge.
//
//   waterflow-small-bench [--dir FOLDER] [--json FILE]
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/database/database.h"
#include "storage/engine.h"

namespace waterflow::bench {
namespace {

using storage::Engine;
using storage::PointToWrite;

[[noreturn]] void Die(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}

storage::Uuid MakeRun(Engine& engine, const std::string& name) {
  storage::CreateRunOptions create;
  create.name = name;
  auto run = engine.CreateRun(create);
  if (!run.ok()) Die(run.status());
  return run->first.id;
}

void Write(Engine& engine, const storage::Uuid& run, uint32_t rank,
           std::vector<PointToWrite> points) {
  storage::WriteOptions write;
  write.run = run;
  write.worker.rank = rank;
  write.points = std::move(points);
  if (auto done = engine.Write(std::move(write)); !done.ok()) {
    Die(done.status());
  }
}

void Flush(Engine& engine) {
  if (auto flushed = engine.Flush(); !flushed.ok()) Die(flushed.status());
}

PointToWrite Point(std::string metric, int64_t step) {
  return {std::move(metric), 0.1 * static_cast<double>(step % 977), step,
          step * 1'000'000'000};
}

struct Scenario {
  std::string name;
  std::function<void(Engine&)> fill;
};

const std::vector<Scenario>& Scenarios() {
  static const auto* const all = new std::vector<Scenario>{
      {"a run of 60 points",
       [](Engine& engine) {
         const auto run = MakeRun(engine, "small");
         for (int64_t i = 0; i < 60; ++i) {
           Write(engine, run, 0, {Point("loss", i)});
         }
       }},
      {"1,000 runs of one point",
       [](Engine& engine) {
         for (int i = 0; i < 1000; ++i) {
           Write(engine, MakeRun(engine, absl::StrCat("r", i)), 0,
                 {Point("accuracy", i)});
         }
       }},
      {"10,000 metrics of one point, one row",
       [](Engine& engine) {
         std::vector<PointToWrite> points;
         for (int i = 0; i < 10000; ++i) {
           points.push_back(Point(absl::StrCat("summary/", i), 7));
         }
         Write(engine, MakeRun(engine, "summary"), 0, points);
       }},
      {"10,000 metrics of one point, a row each",
       [](Engine& engine) {
         // Steps differ, so that each is a row and a schema of its own.
         std::vector<PointToWrite> points;
         for (int i = 0; i < 10000; ++i) {
           points.push_back(Point(absl::StrCat("summary/", i), i));
         }
         Write(engine, MakeRun(engine, "sets"), 0, points);
       }},
      {"10,000 key sets of 10 metrics, 4 seals",
       [](Engine& engine) {
         const auto run = MakeRun(engine, "sets");
         for (int seal = 0; seal < 4; ++seal) {
           for (int first = 0; first < 10000; first += 1000) {
             std::vector<PointToWrite> points;
             for (int set = first; set < first + 1000; ++set) {
               for (int m = 0; m < 10; ++m) {
                 points.push_back(
                     Point(absl::StrCat("m/", (set + m * m) % 10000),
                           10000 * seal + set));
               }
             }
             Write(engine, run, 0, points);
           }
           Flush(engine);
         }
       }},
      {"a worker, 20 metrics, a row a minute, a day",
       [](Engine& engine) {
         const auto run = MakeRun(engine, "slow");
         for (int64_t minute = 0; minute < 1440; ++minute) {
           std::vector<PointToWrite> points;
           for (int m = 0; m < 20; ++m) {
             points.push_back(Point(absl::StrCat("gpu/", m), minute));
           }
           Write(engine, run, 0, points);
           if (minute % 5 == 4) Flush(engine);  // sealed by age
         }
       }},
  };
  return *all;
}

struct Left {
  uint64_t keys = 0;
  uint64_t bytes = 0;  // of keys and values
};

Left Count(const storage::EngineOptions& options) {
  auto database = storage::Database::Open(options);
  if (!database.ok()) Die(database.status());
  Left left;
  for (const auto family : storage::kGenerationFamilies) {
    auto it = (*database)->Iterate(family);
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      ++left.keys;
      left.bytes += it->key().size() + it->value().size();
    }
  }
  return left;
}

nlohmann::ordered_json Measure(const Scenario& scenario,
                               const std::string& dir) {
  std::filesystem::remove_all(dir);
  std::filesystem::create_directories(dir);
  storage::EngineOptions options;
  options.data_dir = dir;
  options.gather = absl::ZeroDuration();
  options.sync = storage::SyncPolicy::kOff;
  storage::EngineStats stats;
  {
    auto engine = Engine::Open(options);
    if (!engine.ok()) Die(engine.status());
    scenario.fill(**engine);
    Flush(**engine);
    stats = (*engine)->Stats();
  }
  const Left left = Count(options);
  std::filesystem::remove_all(dir);
  return {{"scenario", scenario.name},
          {"values", stats.values},
          {"seals", stats.seals},
          {"merges", stats.merges},
          {"generations", stats.generations},
          {"keys", left.keys},
          {"key_value_bytes", left.bytes},
          {"sst_bytes", stats.sst_bytes},
          {"wal_bytes", stats.wal_bytes}};
}

// One metric, all workers, the newest rows, out of unmerged generations.
nlohmann::ordered_json MeasureRead(const std::string& dir) {
  constexpr uint32_t kWorkers = 4096;
  constexpr int kSeals = 8;
  constexpr int kRowsASeal = 5;
  constexpr int kMetrics = 10;
  std::filesystem::remove_all(dir);
  std::filesystem::create_directories(dir);
  std::filesystem::create_directories(dir);
  storage::EngineOptions options;
  options.data_dir = dir;
  options.gather = absl::ZeroDuration();
  options.sync = storage::SyncPolicy::kOff;
  options.merge_fan_in = 0;
  auto engine = Engine::Open(options);
  if (!engine.ok()) Die(engine.status());
  const auto run = MakeRun(**engine, "wide");
  for (int seal = 0; seal < kSeals; ++seal) {
    for (uint32_t rank = 0; rank < kWorkers; ++rank) {
      std::vector<PointToWrite> points;
      for (int row = 0; row < kRowsASeal; ++row) {
        for (int m = 0; m < kMetrics; ++m) {
          points.push_back(
              Point(absl::StrCat("m", m), seal * kRowsASeal + row));
        }
      }
      Write(**engine, run, rank, std::move(points));
    }
    Flush(**engine);
  }
  storage::ReadSpec spec;
  spec.runs = {run};
  spec.metrics = {"m3"};
  spec.step_range = {
      {.first = (kSeals - 4) * kRowsASeal, .last = kSeals * kRowsASeal}};
  double best_ms = 1e9;
  uint64_t points = 0;
  for (int pass = 0; pass < 10; ++pass) {
    const auto begin = std::chrono::steady_clock::now();
    const auto read = (*engine)->Read(
        spec, [](storage::SeriesPart) { return absl::OkStatus(); });
    if (!read.ok()) Die(read.status());
    points = read->points_read;
    best_ms = std::min(best_ms, std::chrono::duration<double, std::milli>(
                                    std::chrono::steady_clock::now() - begin)
                                    .count());
  }
  engine->reset();
  std::filesystem::remove_all(dir);
  return {{"read", "one metric x 4,096 workers x newest 20 rows, unmerged"},
          {"points", points},
          {"ms", best_ms}};
}

}  // namespace
}  // namespace waterflow::bench

int main(int argc, char** argv) {
  using namespace waterflow::bench;  // NOLINT: of this program alone
  CLI::App app("What small and slow series leave on disk");
  std::string dir =
      (std::filesystem::temp_directory_path() / "waterflow-small").string();
  app.add_option("--dir", dir, "Folder for the stores; is emptied")
      ->capture_default_str();
  std::string json_file;
  app.add_option("--json", json_file, "Write the results there too");
  CLI11_PARSE(app, argc, argv);

  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  std::printf("%-44s %7s %6s %6s %5s %7s %10s %10s\n", "after a flush",
              "values", "seals", "merges", "gens", "keys", "key+value",
              "sst bytes");
  for (const Scenario& scenario : Scenarios()) {
    const auto r = Measure(scenario, dir + "/store");
    absl::PrintF("%-44s %7d %6d %6d %5d %7d %10d %10d\n", scenario.name,
                 r["values"].get<int64_t>(), r["seals"].get<int64_t>(),
                 r["merges"].get<int64_t>(), r["generations"].get<int64_t>(),
                 r["keys"].get<int64_t>(), r["key_value_bytes"].get<int64_t>(),
                 r["sst_bytes"].get<int64_t>());
    std::fflush(stdout);
    all.push_back(r);
  }
  const auto read = MeasureRead(dir + "/store");
  absl::PrintF("%s: %d points, %.1f ms\n", read["read"].get<std::string>(),
               read["points"].get<int64_t>(), read["ms"].get<double>());
  all.push_back(read);
  if (!json_file.empty()) std::ofstream(json_file) << all.dump(2) << '\n';
  return 0;
}
