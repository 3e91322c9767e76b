// What small and slow series leave on disk after a flush: keys and bytes.
#include <algorithm>
#include <array>
#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/storage/parts.h"
#include "bench/storage/store.h"
#include "storage/database/database.h"
#include "storage/format/batch.h"

namespace waterflow::bench {
namespace {

using storage::Engine;
using storage::PointToWrite;

storage::Uuid MakeRun(Engine& engine, const std::string& name) {
  storage::CreateRunOptions create;
  create.name = name;
  auto run = engine.CreateRun(create);
  return run.ok() ? run->first.id : storage::Uuid();
}

// A write that fails shows in the counts.
void Write(Engine& engine, const storage::Uuid& run, uint32_t rank,
           std::vector<PointToWrite> points) {
  storage::WriteOptions write;
  write.run = run;
  write.worker.rank = rank;
  write.points = std::move(points);
  engine.Write(std::move(write)).IgnoreError();
}

PointToWrite Point(std::string metric, int64_t step) {
  return {std::move(metric), 0.1 * static_cast<double>(step % 977), step,
          step * 1'000'000'000};
}

// Which of 10,000 metrics the key set `set` has.
std::array<uint32_t, 10> KeySet(uint32_t set) {
  std::array<uint32_t, 10> metrics;
  for (uint32_t m = 0; m < 10; ++m) metrics[m] = (set + m * m) % 10000;
  std::sort(metrics.begin(), metrics.end());
  return metrics;
}

// Rows of changing key sets as a client logs them that has widened its schema:
// one of all metrics, of which a row has some.
void FeedWidened(Store& store) {
  std::vector<std::string> names;
  for (int m = 0; m < 10000; ++m) names.push_back(absl::StrCat("m/", m));
  auto writer = store.OpenWriter({.run = "sets", .rank = 0, .lanes = {}});
  if (!writer.ok() || !(*writer)->Declare(0, names).ok()) return;
  for (int64_t row = 0; row < 40000; ++row) {
    const int64_t time_ns = row * 1'000'000'000;
    storage::BatchBuilder batch(0, static_cast<uint64_t>(row), 1);
    batch.Steps({&row, 1}).Times({&time_ns, 1});
    for (const uint32_t metric : KeySet(static_cast<uint32_t>(row % 10000))) {
      const double value = 0.1 * static_cast<double>(row % 977);
      batch.Float64(metric, {&value, 1});
    }
    (*writer)->Append(storage::BatchBody::Copy(batch.Build())).IgnoreError();
    if (row % 10000 == 9999 && (*writer)->AwaitDurable().ok()) {
      store.engine()->Flush().IgnoreError();
    }
  }
}

struct Scenario {
  std::string name;
  uint64_t values = 0;
  std::function<void(Store&)> fill;
};

const std::vector<Scenario>& Scenarios() {
  static const auto* const all = new std::vector<Scenario>{
      {"a run of 60 points", 60,
       [](Store& store) {
         Engine& engine = *store.engine();
         const auto run = MakeRun(engine, "small");
         for (int64_t i = 0; i < 60; ++i) {
           Write(engine, run, 0, {Point("loss", i)});
         }
       }},
      {"1,000 runs of one point", 1000,
       [](Store& store) {
         Engine& engine = *store.engine();
         for (int i = 0; i < 1000; ++i) {
           Write(engine, MakeRun(engine, absl::StrCat("r", i)), 0,
                 {Point("accuracy", i)});
         }
       }},
      {"10,000 metrics of one point, one row", 10000,
       [](Store& store) {
         Engine& engine = *store.engine();
         std::vector<PointToWrite> points;
         for (int i = 0; i < 10000; ++i) {
           points.push_back(Point(absl::StrCat("summary/", i), 7));
         }
         Write(engine, MakeRun(engine, "summary"), 0, points);
       }},
      {"10,000 metrics of one point, a row each", 10000,
       [](Store& store) {
         Engine& engine = *store.engine();
         // Steps differ, so that each is a row and a schema of its own.
         std::vector<PointToWrite> points;
         for (int i = 0; i < 10000; ++i) {
           points.push_back(Point(absl::StrCat("summary/", i), i));
         }
         Write(engine, MakeRun(engine, "sets"), 0, points);
       }},
      {"10,000 key sets of 10 metrics, 4 seals", 400000,
       [](Store& store) {
         Engine& engine = *store.engine();
         const auto run = MakeRun(engine, "sets");
         for (int seal = 0; seal < 4; ++seal) {
           for (uint32_t first = 0; first < 10000; first += 1000) {
             std::vector<PointToWrite> points;
             for (uint32_t set = first; set < first + 1000; ++set) {
               for (const uint32_t metric : KeySet(set)) {
                 points.push_back(
                     Point(absl::StrCat("m/", metric), 10000 * seal + set));
               }
             }
             Write(engine, run, 0, points);
           }
           engine.Flush().IgnoreError();
         }
       }},
      {"the same in one schema of 10,000 metrics, 4 seals", 400000,
       FeedWidened},
      {"a worker, 20 metrics, a row a minute, a day", 28800,
       [](Store& store) {
         Engine& engine = *store.engine();
         const auto run = MakeRun(engine, "slow");
         for (int64_t minute = 0; minute < 1440; ++minute) {
           std::vector<PointToWrite> points;
           for (int m = 0; m < 20; ++m) {
             points.push_back(Point(absl::StrCat("gpu/", m), minute));
           }
           Write(engine, run, 0, points);
           if (minute % 5 == 4) engine.Seal().IgnoreError();
         }
       }},
  };
  return *all;
}

struct Left {
  uint64_t keys = 0;
  uint64_t bytes = 0;  // of keys and values
};

absl::StatusOr<Left> Count(const storage::EngineOptions& options) {
  auto database = storage::Database::Open(options);
  if (!database.ok()) return database.status();
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

absl::StatusOr<Figure> Measure(const Scenario& scenario,
                               const StorageOptions& options) {
  const ScratchFolder folder(options.scratch);
  const storage::EngineOptions engine_options = {
      .data_dir = folder.path(),
      .sync = storage::SyncPolicy::kOff,
      .gather = absl::ZeroDuration()};
  storage::EngineStats stats;
  {
    auto store = Store::Open(engine_options);
    if (!store.ok()) return store.status();
    scenario.fill(**store);
    Engine& engine = *(*store)->engine();
    if (auto flushed = engine.Flush(); !flushed.ok()) return flushed.status();
    stats = engine.Stats();
  }
  if (stats.values != scenario.values) {
    return absl::InternalError(absl::StrCat(scenario.name, ": the store has ",
                                            stats.values, " values"));
  }
  absl::StatusOr<Left> left = Count(engine_options);
  if (!left.ok()) return left.status();
  return Figure{.what = scenario.name,
                .value = static_cast<double>(left->keys),
                .unit = "keys",
                .reference = absl::StrFormat(
                    "%d values, %d bytes, %d seals, %d generations",
                    stats.values, left->bytes, stats.seals, stats.generations)};
}

}  // namespace

Figures MeasureSmall(const StorageOptions& options) {
  std::vector<Figure> figures;
  for (const Scenario& scenario : Scenarios()) {
    absl::StatusOr<Figure> figure = Measure(scenario, options);
    if (!figure.ok()) return figure.status();
    figures.push_back(*std::move(figure));
  }
  return figures;
}

}  // namespace waterflow::bench
