// Searching many runs by a metric reduced over their workers: from memory, when
// runs got new values, for the first time ever, and after the next start.
#include <algorithm>
#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bench/storage/parts.h"
#include "bench/storage/store.h"

namespace waterflow::bench {
namespace {

constexpr uint32_t kWorkers = 8;
constexpr int kThreads = 32;

double LossOf(uint32_t run, uint32_t rank, uint32_t step) {
  return ((run * 7919u) % 100003u) * 1e-5 + rank * 1e-7 + 1.0 / (step + 1);
}

absl::Status WriteRows(storage::Engine& engine, const storage::Uuid& id,
                       uint32_t run, uint32_t first_step) {
  for (uint32_t rank = 0; rank < kWorkers; ++rank) {
    storage::WriteOptions write;
    write.run = id;
    write.worker.rank = rank;
    for (uint32_t step = first_step; step < first_step + 4; ++step) {
      for (const char* metric : {"loss", "acc"}) {
        write.points.push_back({.metric = metric,
                                .value = LossOf(run, rank, step),
                                .step = step,
                                .time_ns = step * 1'000'000'000LL});
      }
    }
    if (auto written = engine.Write(std::move(write)); !written.ok()) {
      return written.status();
    }
  }
  return absl::OkStatus();
}

// Many threads, as the engine answers each call when it is committed.
absl::StatusOr<std::vector<storage::Uuid>> Fill(storage::Engine& engine,
                                                uint32_t runs) {
  std::vector<storage::Uuid> ids(runs);
  std::atomic<uint32_t> next{0};
  std::atomic<bool> failed{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      while (!failed.load()) {
        const uint32_t run = next.fetch_add(1);
        if (run >= runs) return;
        storage::CreateRunOptions options;
        options.name = absl::StrCat("run ", run);
        options.params = {{"lr", absl::StrCat("1e-", run % 5)},
                          {"seed", absl::StrCat(run)}};
        options.tags = {{"team", run % 3 == 0 ? "alpha" : "beta"}};
        auto created = engine.CreateRun(options);
        failed = failed || !created.ok() ||
                 !WriteRows(engine, created->first.id, run, 0).ok();
        if (created.ok()) ids[run] = created->first.id;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (failed) return absl::InternalError("the store could not be filled");
  return ids;
}

absl::StatusOr<double> SearchMs(storage::Engine& engine,
                                const storage::SearchSpec& spec, int times) {
  std::vector<double> ms;
  for (int i = 0; i < times; ++i) {
    const absl::Time begin = absl::Now();
    const auto page = engine.SearchRuns(spec);
    if (!page.ok()) return page.status();
    ms.push_back(absl::ToDoubleMilliseconds(absl::Now() - begin));
    if (page->runs.empty()) return absl::InternalError("nothing was found");
  }
  std::sort(ms.begin(), ms.end());
  return ms[ms.size() / 2];
}

storage::SearchSpec Spec(std::string filter, std::vector<std::string> order) {
  storage::SearchSpec spec;
  spec.filter = std::move(filter);
  spec.order_by = std::move(order);
  return spec;
}

}  // namespace

Figures MeasureSearch(const StorageOptions& options) {
  const uint32_t runs = options.quick ? 10000 : 100000;
  const ScratchFolder folder(options.scratch);
  const storage::EngineOptions engine_options = {
      .data_dir = folder.path(),
      .sync = storage::SyncPolicy::kOff,
      .gather = absl::ZeroDuration()};
  std::vector<storage::Uuid> ids;
  {
    auto store = Store::Open(engine_options);
    if (!store.ok()) return store.status();
    auto filled = Fill(*(*store)->engine(), runs);
    if (!filled.ok()) return filled.status();
    ids = *std::move(filled);
    if (auto f = (*store)->engine()->Flush(); !f.ok()) return f.status();
  }
  auto store = Store::Open(engine_options);
  if (!store.ok()) return store.status();

  std::vector<Figure> figures;
  const std::string of = absl::StrCat(runs, " runs x ", kWorkers, " workers: ");
  const auto measure = [&](const std::string& what,
                           const storage::SearchSpec& spec, int times,
                           std::optional<double> at_most) {
    absl::StatusOr<double> ms = SearchMs(*(*store)->engine(), spec, times);
    if (!ms.ok()) return ms.status();
    figures.push_back(
        {.what = of + what, .value = *ms, .unit = "ms", .at_most = at_most});
    return absl::OkStatus();
  };
  const storage::SearchSpec by_metric =
      Spec("metrics.loss < 0.6", {"metrics.loss"});
  struct Question {
    std::string what;
    storage::SearchSpec spec;
    int times;
    std::optional<double> at_most;
  };
  const Question questions[] = {
      {"newest 100, the first search after a start", Spec("", {}), 1, {}},
      {"newest 100", Spec("", {}), 21, 30},
      {"filter and sort by a metric, its first search ever", by_metric, 1, {}},
      {"filter and sort by a metric", by_metric, 21, 30},
      {"filter by metric, param and tag, sort by metric and param",
       Spec("metrics.loss < 0.6 and params.lr = '1e-4' and tags.team ILIKE "
            "'a%'",
            {"params.lr", "metrics.loss DESC"}),
       21, 30},
      {"filter by status and a param that all differ in",
       Spec("status = 'RUNNING' and params.seed LIKE '%7'", {"params.seed"}),
       21, 30},
  };
  for (const Question& question : questions) {
    if (absl::Status s = measure(question.what, question.spec, question.times,
                                 question.at_most);
        !s.ok()) {
      return s;
    }
  }
  (*store).reset();
  store = Store::Open(engine_options);
  if (!store.ok()) return store.status();
  if (absl::Status s = measure("by a metric, the first search after a start",
                               by_metric, 1, {});
      !s.ok()) {
    return s;
  }
  storage::Engine& engine = *(*store)->engine();
  const uint32_t changed = runs / 100;
  for (uint32_t i = 0; i < changed; ++i) {
    const uint32_t run = i * 100;
    if (absl::Status s = WriteRows(engine, ids[run], run, 4); !s.ok()) return s;
  }
  if (absl::Status s = measure(absl::StrCat("the same by a metric, of which ",
                                            changed, " runs got new rows"),
                               by_metric, 1, {});
      !s.ok()) {
    return s;
  }
  figures.push_back(
      {.what = of + "the index",
       .value = static_cast<double>(engine.Stats().search_bytes) / 1e6,
       .unit = "MB"});
  return figures;
}

}  // namespace waterflow::bench
