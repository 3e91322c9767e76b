#include "tests/model/compare.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "tests/model/compare_table.h"
#include "tests/unit/query_math_model.h"

namespace waterflow::storage::model {
namespace {

std::string Name(const Worker& w) { return absl::StrCat(w.role, "/", w.rank); }

template <typename A, typename B>
std::string Differ(absl::string_view what, const A& got, const B& expected) {
  return absl::StrCat(what, ": got ", got, ", expected ", expected);
}

// One series of a raw answer, its parts joined.
struct RawSeries {
  std::vector<int64_t> steps;
  std::vector<int64_t> times_ns;
  std::vector<double> values;
  std::vector<bool> has_step;
  std::vector<bool> stamped;

  void Add(const Points& p) {
    for (size_t i = 0; i < p.size(); ++i) {
      steps.push_back(p.steps[i]);
      times_ns.push_back(p.times_ns[i]);
      values.push_back(p.values[i]);
      has_step.push_back(p.has_step.empty() || p.has_step[i]);
      stamped.push_back(!p.time_stamped.empty() && p.time_stamped[i]);
    }
  }
};

std::string ComparePoints(const RawSeries& got,
                          const std::vector<NaivePoint>& expected) {
  for (size_t i = 0; i < std::min(got.values.size(), expected.size()); ++i) {
    const std::string at =
        absl::StrCat("point ", i, " (row ", expected[i].row->lane_row,
                     " of lane ", expected[i].row->lane.number, ")");
    NaiveRow& row = *expected[i].row;
    if (got.has_step[i] != row.step.has_value() ||
        (row.step.has_value() && got.steps[i] != *row.step)) {
      return Differ(at + " step", got.steps[i], row.step.value_or(-1));
    }
    if (std::bit_cast<uint64_t>(got.values[i]) != expected[i].bits) {
      return Differ(at + " bits",
                    absl::Hex(std::bit_cast<uint64_t>(got.values[i])),
                    absl::Hex(expected[i].bits));
    }
    if (got.stamped[i] != row.stamped) {
      return Differ(at + " stamped", got.stamped[i], row.stamped);
    }
    if (row.stamped && !row.stamp->known &&
        got.times_ns[i] >= row.stamp->time_ns &&
        got.times_ns[i] <= absl::GetCurrentTimeNanos()) {
      *row.stamp = {.time_ns = got.times_ns[i], .known = true};
    }
    if (got.times_ns[i] != row.time()) {
      return Differ(at + " time", got.times_ns[i], row.time());
    }
  }
  if (got.values.size() != expected.size()) {
    return Differ("points", got.values.size(), expected.size());
  }
  return "";
}

Interval RandomSteps(std::mt19937_64& random) {
  const auto low = static_cast<int64_t>(random() % 400);
  return {low, low + static_cast<int64_t>(random() % 500)};
}

Interval RandomTimes(std::mt19937_64& random) {
  const auto low = static_cast<int64_t>(random() % 400);
  return {low * 1'000'000'000, (low + 200) * 1'000'000'000};
}

// Some of the run's workers, or all of them.
std::optional<std::vector<Worker>> RandomWorkers(const NaiveRun& run,
                                                 std::mt19937_64& random) {
  if (random() % 3 != 0) return std::nullopt;
  std::vector<Worker> some;
  for (const Worker& worker : run.workers) {
    if (random() % 2 == 0) some.push_back(worker);
  }
  return some;
}

std::vector<std::string> RandomMetrics(const NaiveRun& run,
                                       std::mt19937_64& random) {
  const std::set<std::string> all = run.Metrics();
  std::vector<std::string> some;
  for (const std::string& metric : all) {
    if (random() % 2 == 0) some.push_back(metric);
  }
  if (some.empty()) some.push_back(*all.begin());
  return some;
}

std::string CompareRaw(Engine* engine, NaiveRun& run, const ReadSpec& spec) {
  std::map<std::pair<std::string, Worker>, RawSeries> got;
  const auto summary = engine->Read(spec, [&](SeriesPart part) {
    got[{part.metric, *part.worker}].Add(part.points);
    return absl::OkStatus();
  });
  if (!summary.ok()) return absl::StrCat("Read: ", summary.status().ToString());
  // All of them before the first comparison, which may learn a time.
  std::map<std::string, std::map<Worker, std::vector<NaivePoint>>> expected;
  for (const std::string& metric : spec.metrics) {
    expected[metric] = NaiveEngine::Raw(run, metric, spec);
  }
  for (const auto& [metric, by_worker] : expected) {
    for (const auto& [worker, points] : by_worker) {
      const std::string d = ComparePoints(got[{metric, worker}], points);
      if (!d.empty()) {
        return absl::StrCat("metric ", metric, " of ", Name(worker), ": ", d);
      }
      got.erase({metric, worker});
    }
  }
  for (const auto& [key, series] : got) {
    return absl::StrCat("metric ", key.first, " of ", Name(key.second),
                        ": has ", series.values.size(), " points, expected 0");
  }
  std::multiset<std::string> lost;
  std::multiset<std::string> expected_lost;
  const auto describe = [](const Worker& worker, uint64_t first, uint64_t end,
                           const std::vector<std::string>& names) {
    return absl::StrCat(Name(worker), " [", first, ", ", end, ") ",
                        absl::StrJoin(names, ","));
  };
  for (const LostRange& l : summary->lost) {
    lost.insert(describe(l.worker, l.first_row, l.end_row, l.metrics));
  }
  for (const NaiveLost& l : run.lost) {
    const std::vector<std::string>& names = run.schemas[l.schema];
    const bool asked =
        std::any_of(names.begin(), names.end(), [&](const std::string& name) {
          return std::count(spec.metrics.begin(), spec.metrics.end(), name) > 0;
        });
    if (!asked || (spec.workers.has_value() &&
                   std::count(spec.workers->begin(), spec.workers->end(),
                              l.lane.worker) == 0)) {
      continue;
    }
    expected_lost.insert(
        describe(l.lane.worker, l.first_row, l.end_row, names));
  }
  if (lost != expected_lost) {
    return Differ("lost", absl::StrJoin(lost, "; "),
                  absl::StrJoin(expected_lost, "; "));
  }
  return "";
}

bool Close(double got, double expected, double scale) {
  if (std::isnan(expected)) return std::isnan(got);
  if (std::isinf(expected)) return got == expected;
  return std::fabs(got - expected) <= 1e-12 * scale;
}

bool Same(double a, double b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

std::string CompareBuckets(const std::vector<Bucket>& got,
                           const std::vector<Bucket>& expected) {
  if (got.size() != expected.size()) {
    return Differ("buckets", got.size(), expected.size());
  }
  for (size_t i = 0; i < got.size(); ++i) {
    const Bucket& g = got[i];
    const Bucket& e = expected[i];
    const double size = std::max(std::fabs(e.min), std::fabs(e.max));
    const bool equal =
        g.first_position == e.first_position &&
        g.last_position == e.last_position && g.count == e.count &&
        g.nan_count == e.nan_count && g.pos_inf_count == e.pos_inf_count &&
        g.neg_inf_count == e.neg_inf_count && Same(g.first, e.first) &&
        Same(g.last, e.last) && Same(g.min, e.min) && Same(g.max, e.max) &&
        g.min_position == e.min_position && g.max_position == e.max_position &&
        (e.count == 0 ||
         (g.min_worker == e.min_worker && g.max_worker == e.max_worker)) &&
        Close(g.mean, e.mean, size) && Close(g.stddev, e.stddev, size) &&
        Close(g.value, e.value, size * std::max<double>(1, e.count));
    if (equal) continue;
    const auto show = [](const Bucket& b) {
      return absl::StrCat(
          "[", b.first_position, ", ", b.last_position, "] count ", b.count,
          " nan ", b.nan_count, " first ", b.first, " last ", b.last, " min ",
          b.min, " at ", b.min_position, " max ", b.max, " at ", b.max_position,
          " mean ", b.mean, " stddev ", b.stddev, " value ", b.value);
    };
    return Differ(absl::StrCat("bucket ", i), show(g), show(e));
  }
  return "";
}

// Since the run's start, held at the ends of int64.
int64_t Relative(int64_t time_ns, int64_t start_ns) {
  const __int128 relative = static_cast<__int128>(time_ns) - start_ns;
  return static_cast<int64_t>(
      std::clamp<__int128>(relative, INT64_MIN, INT64_MAX));
}

int64_t PositionOf(const NaiveRow& row, Axis axis, int64_t start_ns) {
  return axis == Axis::kStep   ? *row.step
         : axis == Axis::kTime ? row.time()
                               : Relative(row.time(), start_ns);
}

// The naive points as query_math_model.h wants them.
std::vector<ModelSeries> ForMath(
    const std::map<Worker, std::vector<NaivePoint>>& points, Axis axis,
    int64_t start_ns) {
  std::vector<ModelSeries> all;
  for (const auto& [worker, list] : points) {
    ModelSeries& s = all.emplace_back();
    s.worker = static_cast<uint32_t>(all.size() - 1);
    for (const NaivePoint& p : list) {
      s.positions.push_back(PositionOf(*p.row, axis, start_ns));
      s.values.push_back(std::bit_cast<double>(p.bits));
    }
  }
  return all;
}

std::string CompareReduced(Engine* engine, const NaiveRun& run,
                           const std::string& metric, uint64_t seed) {
  std::mt19937_64 random(seed);
  ReadSpec spec;
  spec.runs = {run.id};
  spec.metrics = {metric};
  spec.workers = RandomWorkers(run, random);
  spec.axis = static_cast<Axis>(1 + random() % 3);
  constexpr uint32_t kMaxPoints[] = {0, 0, 1, 2, 7, 14, 100, 5000};
  spec.max_points = kMaxPoints[random() % 8];
  spec.reduction = static_cast<Reduction>(random() % 6);
  if (spec.max_points == 0) {
    // Raw is compared elsewhere; per step there are only reductions.
    spec.axis = Axis::kStep;
    if (spec.reduction == Reduction::kNone) spec.reduction = Reduction::kMean;
  }
  if (random() % 3 == 0) spec.step_range = RandomSteps(random);
  if (random() % 4 == 0) spec.time_range = RandomTimes(random);
  Reduction reduction = spec.reduction;
  if (reduction == Reduction::kDefault) {
    const auto own = run.metadata.find(metric);
    const bool says = own != run.metadata.end() &&
                      own->second.metric.reduction != Reduction::kNone;
    reduction = says ? own->second.metric.reduction : Reduction::kMean;
  }
  const auto record = engine->GetRun(run.id);
  if (!record.ok()) return absl::StrCat("GetRun: ", record.status().ToString());
  const auto points = NaiveEngine::Raw(run, metric, spec);
  const std::vector<ModelSeries> series =
      ForMath(points, spec.axis, record->start_ns);
  // Buckets are as wide as all rows take, also those without the metric.
  Interval span{INT64_MAX, INT64_MIN};
  for (const NaiveRow* row : NaiveEngine::Rows(run, metric, spec)) {
    const int64_t position = PositionOf(*row, spec.axis, record->start_ns);
    span.first = std::min(span.first, position);
    span.last = std::max(span.last, position);
  }
  std::vector<std::vector<Bucket>> expected;
  if (series.empty()) {
    // No part at all.
  } else if (reduction == Reduction::kNone) {
    for (ModelSeries s : series) {
      s.worker = 0;
      expected.push_back(
          ModelBuckets({s}, span, spec.max_points, Reduction::kMean));
    }
  } else if (spec.max_points == 0) {
    expected.push_back(ModelPerStep(series, reduction));
  } else {
    expected.push_back(ModelBuckets(series, span, spec.max_points, reduction));
  }
  std::vector<std::vector<Bucket>> got;
  const auto summary = engine->Read(spec, [&](SeriesPart part) {
    got.push_back(std::move(part.buckets));
    return absl::OkStatus();
  });
  const std::string what = absl::StrCat(
      "metric ", metric, " axis ", static_cast<int>(spec.axis), " max_points ",
      spec.max_points, " reduction ", static_cast<int>(spec.reduction), ": ");
  if (!summary.ok()) return what + summary.status().ToString();
  if (got.size() != expected.size()) {
    return what + Differ("parts", got.size(), expected.size());
  }
  for (size_t i = 0; i < got.size(); ++i) {
    const std::string d = CompareBuckets(got[i], expected[i]);
    if (!d.empty()) return what + d;
  }
  return "";
}

std::string CompareLastValues(Engine* engine, const NaiveRun& run,
                              const LastValuesSpec& spec) {
  const auto got = engine->LastValues(spec);
  if (!got.ok()) return got.status().ToString();
  const std::vector<LastValue> expected = NaiveEngine::LastValues(run, spec);
  if (got->size() != expected.size()) {
    return Differ("LastValues", got->size(), expected.size());
  }
  for (size_t i = 0; i < expected.size(); ++i) {
    const LastValue& g = (*got)[i];
    const LastValue& e = expected[i];
    const double size = std::max(std::fabs(e.min), std::fabs(e.max));
    const bool equal =
        g.metric == e.metric && g.worker == e.worker && g.step == e.step &&
        g.time_ns == e.time_ns &&
        std::bit_cast<uint64_t>(g.value) == std::bit_cast<uint64_t>(e.value) &&
        g.count == e.count && g.nan_count == e.nan_count &&
        g.pos_inf_count == e.pos_inf_count &&
        g.neg_inf_count == e.neg_inf_count && Same(g.min, e.min) &&
        Same(g.max, e.max) && Close(g.mean, e.mean, size);
    if (equal) continue;
    const auto show = [](const LastValue& v) {
      return absl::StrCat(v.metric, " of ", Name(v.worker), " ", v.value,
                          " step ", v.step.value_or(-1), " time ", v.time_ns,
                          " count ", v.count, "+", v.nan_count, "+",
                          v.pos_inf_count, "+", v.neg_inf_count, " min ", v.min,
                          " max ", v.max, " mean ", v.mean);
    };
    return Differ("LastValues", show(g), show(e));
  }
  return "";
}

std::string CompareRecord(Engine* engine, const NaiveRun& run) {
  const auto got = engine->GetRun(run.id);
  if (!got.ok()) return absl::StrCat("GetRun: ", got.status().ToString());
  if (got->project != run.project) {
    return Differ("project", got->project, run.project);
  }
  if (got->name != run.name) return Differ("name", got->name, run.name);
  if (got->key != run.key) return Differ("key", got->key, run.key);
  if (got->params != run.params) return "params differ";
  if (got->tags != run.tags) return "tags differ";
  if (run.start_ns.has_value() && got->start_ns != *run.start_ns) {
    return Differ("start_ns", got->start_ns, *run.start_ns);
  }
  if (run.end_ns.has_value() ? got->end_ns != *run.end_ns : got->end_ns <= 0) {
    return Differ("end_ns", got->end_ns, run.end_ns.value_or(1));
  }
  if (got->status != run.status) {
    return Differ("status", static_cast<int>(got->status),
                  static_cast<int>(run.status));
  }
  if (got->worker_count != run.workers.size()) {
    return Differ("workers", got->worker_count, run.workers.size());
  }
  const uint32_t attempt =
      run.attempts.empty() ? 0 : run.attempts.rbegin()->first;
  if (got->attempt != attempt) return Differ("attempt", got->attempt, attempt);
  if (got->row_count != run.RowCount()) {
    return Differ("row_count", got->row_count, run.RowCount());
  }
  if (got->value_count != run.ValueCount()) {
    return Differ("value_count", got->value_count, run.ValueCount());
  }
  const auto metrics = engine->ListMetrics(run.id);
  std::set<std::string> names;
  for (const Metric& metric : *metrics) {
    names.insert(metric.name);
    Metric expected;
    expected.name = metric.name;
    if (const auto said = run.metadata.find(metric.name);
        said != run.metadata.end()) {
      expected = said->second.metric;
    }
    if (metric != expected) {
      return absl::StrCat("metadata of ", metric.name, ": got ", metric.unit,
                          ", ", metric.description, ", expected ",
                          expected.unit, ", ", expected.description);
    }
  }
  if (names != run.Metrics()) {
    return Differ("metrics", absl::StrJoin(names, ","),
                  absl::StrJoin(run.Metrics(), ","));
  }
  const auto workers = engine->ListWorkers(run.id);
  if (!workers.ok() || workers->size() != run.workers.size()) {
    return "workers differ";
  }
  for (const WorkerInfo& worker : *workers) {
    if (!run.workers.contains(worker.worker)) {
      return absl::StrCat("unknown worker ", Name(worker.worker));
    }
    if (worker.rows != run.RowCount(worker.worker)) {
      return Differ(absl::StrCat("rows of ", Name(worker.worker)), worker.rows,
                    run.RowCount(worker.worker));
    }
  }
  return "";
}

// The runs of a project, page by page.
std::string ComparePages(Engine* engine, const NaiveEngine& naive,
                         const Project& project) {
  std::set<Uuid> expected;
  for (const auto& [id, run] : naive.runs()) {
    if (run.project == project.name) expected.insert(id);
  }
  if (project.run_count != expected.size()) {
    return Differ("run_count", project.run_count, expected.size());
  }
  std::vector<Run> runs;
  std::string token;
  do {
    const auto page = engine->ListRuns(project.name, 2, token);
    if (!page.ok()) return page.status().ToString();
    runs.insert(runs.end(), page->runs.begin(), page->runs.end());
    token = page->next_page_token;
  } while (!token.empty() && runs.size() < 100);
  std::set<Uuid> got;
  for (size_t i = 0; i < runs.size(); ++i) {
    got.insert(runs[i].id);
    if (i > 0 && runs[i].created_ns > runs[i - 1].created_ns) {
      return "its runs are not listed newest first";
    }
  }
  if (got != expected || got.size() != runs.size()) {
    return Differ("runs listed", runs.size(), expected.size());
  }
  return "";
}

}  // namespace

std::string CompareRun(Engine* engine, NaiveRun& run, uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto in_run = [&](const std::string& difference) {
    return difference.empty()
               ? ""
               : absl::StrCat("run ", run.id.ToHex(), ": ", difference);
  };
  if (std::string d = CompareRecord(engine, run); !d.empty()) return in_run(d);
  if (run.Metrics().empty()) return "";
  // First by time without a range, which teaches the times that were given.
  ReadSpec spec;
  spec.runs = {run.id};
  const std::set<std::string> all = run.Metrics();
  spec.metrics.assign(all.begin(), all.end());
  spec.axis = Axis::kTime;
  if (std::string d = CompareRaw(engine, run, spec); !d.empty()) {
    return in_run("by time: " + d);
  }
  if (random() % 3 == 0) spec.step_range = RandomSteps(random);
  if (random() % 3 == 0) spec.time_range = RandomTimes(random);
  spec.axis = static_cast<Axis>(1 + random() % 3);
  if (random() % 2 == 0) spec.metrics = RandomMetrics(run, random);
  spec.workers = RandomWorkers(run, random);
  if (std::string d = CompareRaw(engine, run, spec); !d.empty()) {
    return in_run(absl::StrCat("axis ", static_cast<int>(spec.axis), ", ",
                               spec.metrics.size(), " metrics, ",
                               spec.workers.has_value() ? "some" : "all",
                               " workers, in ranges: ", d));
  }
  for (const std::string& metric : run.Metrics()) {
    if (random() % 3 != 0) continue;
    if (std::string d = CompareReduced(engine, run, metric, random());
        !d.empty()) {
      return in_run(d);
    }
  }
  if (std::string d = CompareTable(engine, run, random()); !d.empty()) {
    return in_run(d);
  }
  LastValuesSpec last;
  last.run = run.id;
  if (std::string d = CompareLastValues(engine, run, last); !d.empty()) {
    return in_run(d);
  }
  last.metrics = RandomMetrics(run, random);
  last.workers = RandomWorkers(run, random);
  return in_run(CompareLastValues(engine, run, last));
}

std::string CompareCatalog(Engine* engine, const NaiveEngine& naive) {
  std::set<std::string> projects;
  for (const Project& project : engine->ListProjects()) {
    projects.insert(project.name);
    const auto expected = naive.projects().find(project.name);
    if (expected == naive.projects().end()) continue;
    if (project.tags != expected->second.tags) {
      return absl::StrCat("project ", project.name, ": tags differ");
    }
    if (project.retention_age_ns != expected->second.retention_age_ns) {
      return Differ(absl::StrCat("project ", project.name, " retention_age_ns"),
                    project.retention_age_ns,
                    expected->second.retention_age_ns);
    }
    std::string d = ComparePages(engine, naive, project);
    if (!d.empty()) return absl::StrCat("project ", project.name, ": ", d);
  }
  std::set<std::string> expected_projects;
  for (const auto& [name, tags] : naive.projects()) {
    expected_projects.insert(name);
  }
  if (projects != expected_projects) {
    return Differ("projects", absl::StrJoin(projects, ","),
                  absl::StrJoin(expected_projects, ","));
  }
  const auto page = engine->ListRuns("", 10'000, "");
  if (!page.ok()) return page.status().ToString();
  std::set<Uuid> runs;
  for (const Run& run : page->runs) runs.insert(run.id);
  for (const Uuid& run : runs) {
    if (!naive.runs().contains(run)) {
      return absl::StrCat("run ", run.ToHex(), " should not be there",
                          naive.deleted().contains(run) ? ": deleted" : "");
    }
  }
  uint64_t rows = 0;
  uint64_t values = 0;
  for (const auto& [id, run] : naive.runs()) {
    if (!runs.contains(id)) return absl::StrCat("no run ", id.ToHex());
    rows += run.RowCount();
    values += run.ValueCount();
  }
  for (const Uuid& run : naive.deleted()) {
    if (!absl::IsNotFound(engine->GetRun(run).status())) {
      return absl::StrCat("deleted run ", run.ToHex(), " is back");
    }
    CreateRunOptions again;
    again.id = run;
    if (!absl::IsFailedPrecondition(engine->CreateRun(again).status())) {
      return absl::StrCat("deleted run ", run.ToHex(), " can be made again");
    }
  }
  const EngineStats stats = engine->Stats();
  if (stats.rows != rows) return Differ("rows", stats.rows, rows);
  if (stats.values != values) return Differ("values", stats.values, values);
  return "";
}

}  // namespace waterflow::storage::model
