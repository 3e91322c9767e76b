#include "client/cli/trace_plan.h"

#include <xxhash.h>

#include <algorithm>
#include <limits>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/trace_metrics.h"

namespace waterflow::cli {
namespace {

// A tag holds 8,192 bytes, a schema 16,384 metrics.
constexpr size_t kTagBytes = 8000;
constexpr size_t kSchemaMetrics = 16384;
constexpr char kOrderTag[] = "trace.order";
constexpr char kMetricsTag[] = "trace.metrics.";

using Hash = std::pair<uint64_t, uint64_t>;

Hash HashOf(absl::Span<const int64_t> column) {
  const XXH128_hash_t hash =
      XXH3_128bits(column.data(), column.size() * sizeof(int64_t));
  return {hash.high64, hash.low64};
}

// Groups the series of each worker by their axis, in the index's order.
class StreamPlanner {
 public:
  explicit StreamPlanner(const Trace* trace) : trace_(trace) {}

  void Add(const TraceSeries& series) {
    auto [at, is_new] = by_rank_.try_emplace(series.rank, streams_.size());
    if (is_new) streams_.push_back({series.rank, {}, 0});
    StreamPlan& stream = streams_[at->second];
    const auto axis =
        std::make_tuple(series.rank, HashOf(trace_->steps_of(series)),
                        HashOf(trace_->times_of(series)));
    auto [lane, lane_is_new] = lanes_.try_emplace(axis, stream.lanes.size());
    if (!lane_is_new &&
        stream.lanes[lane->second].series.size() >= kSchemaMetrics) {
      lane->second = stream.lanes.size();
      lane_is_new = true;
    }
    if (lane_is_new) {
      stream.lanes.emplace_back();
      stream.rows += series.count;
    }
    stream.lanes[lane->second].series.push_back(&series);
  }

  std::vector<StreamPlan> Take() { return std::move(streams_); }

 private:
  const Trace* const trace_;
  std::vector<StreamPlan> streams_;
  std::map<uint32_t, size_t> by_rank_;
  std::map<std::tuple<uint32_t, Hash, Hash>, size_t> lanes_;
};

// A param that is read back as the JSON it was: a string stands for itself
// unless it would be taken for something else.
std::string EncodeParam(const nlohmann::ordered_json& value) {
  if (!value.is_string()) return value.dump();
  const auto text = value.get<std::string>();
  return nlohmann::ordered_json::accept(text) ? value.dump() : text;
}

nlohmann::ordered_json DecodeParam(const std::string& text) {
  auto value = nlohmann::ordered_json::parse(text, nullptr, false);
  return value.is_discarded() ? nlohmann::ordered_json(text) : value;
}

// One line a metric, in as many tags as it takes.
void NoteMetrics(const std::vector<const TraceSeries*>& series,
                 v1::CreateRunRequest* create) {
  std::set<std::string> noted;
  std::string text;
  size_t tags = 0;
  const auto put = [&] {
    if (text.empty()) return;
    (*create->mutable_tags())[absl::StrCat(kMetricsTag, tags++)] = text;
    text.clear();
  };
  for (const TraceSeries* s : series) {
    if (!noted.insert(s->metric).second) continue;
    const std::string line =
        absl::StrCat(s->metric, "\t", s->cls, "\t", s->native, "\n");
    if (text.size() + line.size() > kTagBytes) put();
    text += line;
  }
  put();
}

RunPlan PlanRun(const Trace& trace, const std::string& name, size_t order,
                const std::vector<const TraceSeries*>& series) {
  RunPlan plan;
  plan.name = name;
  plan.start_ns = std::numeric_limits<int64_t>::max();
  plan.end_ns = std::numeric_limits<int64_t>::min();
  StreamPlanner planner(&trace);
  for (const TraceSeries* s : series) {
    // The store knows a series by its points.
    if (s->count == 0) continue;
    planner.Add(*s);
    plan.samples += s->count;
    const auto times = trace.times_of(*s);
    const auto [least, most] = std::minmax_element(times.begin(), times.end());
    plan.start_ns = std::min(plan.start_ns, *least);
    plan.end_ns = std::max(plan.end_ns, *most);
  }
  plan.streams = planner.Take();
  for (const StreamPlan& stream : plan.streams) plan.rows += stream.rows;
  plan.create.set_name(name);
  plan.create.set_key(absl::StrCat("trace/", trace.fingerprint, "/", name));
  if (plan.rows > 0) plan.create.set_start_ns(plan.start_ns);
  if (auto params = trace.runs.find(name); params != trace.runs.end()) {
    for (const auto& [key, value] : params->items()) {
      (*plan.create.mutable_params())[key] = EncodeParam(value);
    }
  }
  (*plan.create.mutable_tags())[kOrderTag] = absl::StrCat(order);
  NoteMetrics(series, &plan.create);
  return plan;
}

}  // namespace

absl::StatusOr<std::vector<RunPlan>> PlanImport(
    const Trace& trace, const std::string& project,
    const std::vector<std::string>& only) {
  std::vector<std::string> names;
  std::map<std::string, std::vector<const TraceSeries*>> by_run;
  for (const auto& [name, params] : trace.runs.items()) {
    if (by_run.try_emplace(name).second) names.push_back(name);
  }
  for (const TraceSeries& series : trace.series) {
    auto [run, is_new] = by_run.try_emplace(series.run);
    if (is_new) names.push_back(series.run);
    run->second.push_back(&series);
  }
  for (const std::string& name : only) {
    if (by_run.count(name) == 0) {
      return absl::NotFoundError(
          absl::StrCat("the trace has no run \"", name, "\""));
    }
  }
  std::vector<RunPlan> plans;
  for (size_t i = 0; i < names.size(); ++i) {
    if (!only.empty() &&
        std::find(only.begin(), only.end(), names[i]) == only.end()) {
      continue;
    }
    plans.push_back(PlanRun(trace, names[i], i, by_run[names[i]]));
    plans.back().create.set_project(project);
  }
  return plans;
}

std::map<std::string, MetricNote> MetricNotes(const v1::Run& run) {
  std::map<std::string, MetricNote> notes;
  for (size_t i = 0;; ++i) {
    const auto tag = run.tags().find(absl::StrCat(kMetricsTag, i));
    if (tag == run.tags().end()) return notes;
    for (const absl::string_view line :
         absl::StrSplit(tag->second, '\n', absl::SkipEmpty())) {
      const std::vector<std::string> fields = absl::StrSplit(line, '\t');
      if (fields.size() != 3) continue;
      notes.try_emplace(fields[0],
                        MetricNote{notes.size(), fields[1], fields[2]});
    }
  }
}

nlohmann::ordered_json ParamsOf(const v1::Run& run) {
  auto params = nlohmann::ordered_json::object();
  for (const auto& [key, value] : std::map<std::string, std::string>(
           run.params().begin(), run.params().end())) {
    params[key] = DecodeParam(value);
  }
  return params;
}

uint64_t OrderOf(const v1::Run& run) {
  uint64_t order = 0;
  const auto tag = run.tags().find(kOrderTag);
  if (tag == run.tags().end() || !absl::SimpleAtoi(tag->second, &order)) {
    return std::numeric_limits<uint64_t>::max();
  }
  return order;
}

}  // namespace waterflow::cli
