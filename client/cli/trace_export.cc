#include "client/cli/trace_export.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/format.h"
#include "client/cli/trace_plan.h"

namespace waterflow::cli {
namespace {

// Metrics asked for in one read.
constexpr int kMetricsAtOnce = 1024;

struct Columns {
  std::vector<int64_t> steps;
  std::vector<int64_t> times;
  std::vector<double> values;
};

// Takes the parts of one run's answer.
class RunCollector {
 public:
  explicit RunCollector(const v1::Run& run) : run_(run) {}

  void Add(const v1::SeriesPart& part) {
    if (!part.worker().role().empty()) {
      bad_ = absl::InvalidArgumentError(absl::StrCat(
          "run ", run_.name(), " has a worker ", WorkerText(part.worker()),
          "; a trace holds only ranks: export it as csv"));
    }
    if (!part.has_step().empty() &&
        std::count(part.has_step().begin(), part.has_step().end(), false) > 0) {
      bad_ = absl::InvalidArgumentError(absl::StrCat(
          "run ", run_.name(), " metric ", part.metric(),
          " has points without a step, which a trace cannot hold: export it as "
          "csv"));
    }
    Columns& columns = series_[part.metric()][part.worker().rank()];
    columns.steps.insert(columns.steps.end(), part.steps().begin(),
                         part.steps().end());
    columns.times.insert(columns.times.end(), part.times_ns().begin(),
                         part.times_ns().end());
    columns.values.insert(columns.values.end(), part.values().begin(),
                          part.values().end());
  }

  // Appends the series in the order of the index that they came from.
  absl::Status Finish(Trace* trace) {
    if (!bad_.ok()) return bad_;
    const std::map<std::string, MetricNote> notes = MetricNotes(run_);
    // Place, rank, metric.
    std::map<std::tuple<uint64_t, uint32_t, std::string>, const Columns*> order;
    for (const auto& [metric, ranks] : series_) {
      const auto note = notes.find(metric);
      size_t nth = 0;
      for (const auto& [rank, columns] : ranks) {
        const uint64_t place = note == notes.end()
                                   ? std::numeric_limits<uint64_t>::max()
                                   : note->second.PlaceOf(nth++);
        order[std::make_tuple(place, rank, metric)] = &columns;
      }
    }
    for (const auto& [key, columns] : order) {
      TraceSeries entry;
      entry.run = run_.name();
      entry.rank = std::get<1>(key);
      entry.metric = std::get<2>(key);
      if (auto note = notes.find(entry.metric); note != notes.end()) {
        entry.cls = note->second.cls;
        entry.native = note->second.native;
      }
      Append(std::move(entry), *columns, trace);
    }
    trace->runs[run_.name()] = ParamsOf(run_);
    return absl::OkStatus();
  }

 private:
  static void Append(TraceSeries entry, const Columns& columns, Trace* trace) {
    entry.offset = trace->values.size();
    entry.count = columns.values.size();
    trace->series.push_back(std::move(entry));
    trace->steps.insert(trace->steps.end(), columns.steps.begin(),
                        columns.steps.end());
    trace->times.insert(trace->times.end(), columns.times.begin(),
                        columns.times.end());
    trace->values.insert(trace->values.end(), columns.values.begin(),
                         columns.values.end());
  }

  const v1::Run& run_;
  absl::Status bad_;
  std::map<std::string, std::map<uint32_t, Columns>> series_;
};

}  // namespace

absl::Status ReadWholeRun(Api& api, const v1::Run& run,
                          const client::Reader::PartSink& sink) {
  auto metrics = AllMetrics(api, run.id());
  if (!metrics.ok()) return metrics.status();
  for (int from = 0; from < metrics->metrics_size(); from += kMetricsAtOnce) {
    v1::ReadRequest request;
    request.add_run_ids(run.id());
    // By time, because every point has one.
    request.set_axis(v1::AXIS_TIME);
    const int to = std::min(from + kMetricsAtOnce, metrics->metrics_size());
    for (int i = from; i < to; ++i) {
      request.add_metrics(metrics->metrics(i).name());
    }
    auto read = api.reader.Read(request, sink);
    if (!read.ok()) return read.status();
  }
  return absl::OkStatus();
}

absl::StatusOr<Trace> CollectTrace(Api& api, std::vector<v1::Run> runs) {
  std::stable_sort(runs.begin(), runs.end(),
                   [](const v1::Run& a, const v1::Run& b) {
                     return std::make_pair(OrderOf(a), a.created_ns()) <
                            std::make_pair(OrderOf(b), b.created_ns());
                   });
  std::set<std::string> names;
  for (const v1::Run& run : runs) {
    if (!names.insert(run.name()).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("two runs are named \"", run.name(),
                       "\", which a trace cannot tell apart: choose with --run "
                       "or --project"));
    }
  }
  Trace trace;
  for (const v1::Run& run : runs) {
    RunCollector collector(run);
    absl::Status status = ReadWholeRun(
        api, run, [&](const v1::SeriesPart& part) { collector.Add(part); });
    if (!status.ok()) return status;
    status = collector.Finish(&trace);
    if (!status.ok()) return status;
  }
  return trace;
}

}  // namespace waterflow::cli
