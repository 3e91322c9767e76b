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

absl::Status CollectRun(Api& api, const v1::Run& run, Trace* trace) {
  const std::map<std::string, MetricNote> notes = MetricNotes(run);
  // Rank, place in the index, metric: the order of the series.
  std::map<std::tuple<uint32_t, size_t, std::string>, Columns> series;
  absl::Status bad;
  absl::Status read = ReadWholeRun(api, run, [&](const v1::SeriesPart& part) {
    if (!part.worker().role().empty()) {
      bad = absl::InvalidArgumentError(absl::StrCat(
          "run ", run.name(), " has a worker ", WorkerText(part.worker()),
          "; a trace holds only ranks: export it as csv"));
    }
    if (!part.has_step().empty() &&
        std::count(part.has_step().begin(), part.has_step().end(), false) > 0) {
      bad = absl::InvalidArgumentError(absl::StrCat(
          "run ", run.name(), " metric ", part.metric(),
          " has points without a step, which a trace cannot hold: export it as "
          "csv"));
    }
    const auto note = notes.find(part.metric());
    const size_t order = note == notes.end()
                             ? std::numeric_limits<size_t>::max()
                             : note->second.order;
    Columns& columns =
        series[std::make_tuple(part.worker().rank(), order, part.metric())];
    columns.steps.insert(columns.steps.end(), part.steps().begin(),
                         part.steps().end());
    columns.times.insert(columns.times.end(), part.times_ns().begin(),
                         part.times_ns().end());
    columns.values.insert(columns.values.end(), part.values().begin(),
                          part.values().end());
  });
  if (!read.ok()) return read;
  if (!bad.ok()) return bad;
  for (const auto& [key, columns] : series) {
    TraceSeries entry;
    entry.run = run.name();
    entry.rank = std::get<0>(key);
    entry.metric = std::get<2>(key);
    if (auto note = notes.find(entry.metric); note != notes.end()) {
      entry.cls = note->second.cls;
      entry.native = note->second.native;
    }
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
  trace->runs[run.name()] = ParamsOf(run);
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadWholeRun(Api& api, const v1::Run& run,
                          const client::Reader::PartSink& sink) {
  v1::ListMetricsRequest list;
  list.set_run_id(run.id());
  auto metrics = Call(*api.query, &v1::Query::Stub::ListMetrics, list);
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
    if (absl::Status status = CollectRun(api, run, &trace); !status.ok()) {
      return status;
    }
  }
  return trace;
}

}  // namespace waterflow::cli
