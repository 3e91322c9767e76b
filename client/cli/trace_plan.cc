#include "client/cli/trace_plan.h"

#include <xxhash.h>

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
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

// "3+70" for 3, 73, 143 ..., else "3,4,9".
std::string EncodePlaces(const std::map<uint32_t, uint64_t>& place_of_rank) {
  std::vector<uint64_t> places;
  for (const auto& [rank, place] : place_of_rank) places.push_back(place);
  const uint64_t stride = places.size() > 1 ? places[1] - places[0] : 0;
  for (size_t i = 1; i < places.size(); ++i) {
    if (places[i] - places[i - 1] != stride) return absl::StrJoin(places, ",");
  }
  return absl::StrCat(places[0], "+", stride);
}

void DecodePlaces(const std::string& text, MetricNote* note) {
  const std::vector<std::string> progression = absl::StrSplit(text, '+');
  if (progression.size() == 2 &&
      absl::SimpleAtoi(progression[0], &note->first) &&
      absl::SimpleAtoi(progression[1], &note->stride)) {
    return;
  }
  for (const absl::string_view place : absl::StrSplit(text, ',')) {
    uint64_t number = 0;
    if (absl::SimpleAtoi(place, &number)) note->listed.push_back(number);
  }
}

// One line a metric, in as many tags as it takes.
void NoteMetrics(const std::vector<const TraceSeries*>& series,
                 v1::CreateRunRequest* create) {
  struct Noted {
    const TraceSeries* first;
    std::map<uint32_t, uint64_t> place_of_rank;
  };
  std::vector<Noted> metrics;
  std::map<std::string, size_t> by_name;
  for (size_t place = 0; place < series.size(); ++place) {
    const TraceSeries& s = *series[place];
    auto [at, is_new] = by_name.try_emplace(s.metric, metrics.size());
    if (is_new) metrics.push_back({&s, {}});
    metrics[at->second].place_of_rank[s.rank] = place;
  }
  std::string text;
  size_t tags = 0;
  const auto put = [&] {
    if (text.empty()) return;
    (*create->mutable_tags())[absl::StrCat(kMetricsTag, tags++)] = text;
    text.clear();
  };
  for (const Noted& noted : metrics) {
    const std::string line = absl::StrCat(
        noted.first->metric, "\t", noted.first->cls, "\t", noted.first->native,
        "\t", EncodePlaces(noted.place_of_rank), "\n");
    // A trace without any order among thousands of ranks is given back by rank.
    if (line.size() > kTagBytes) continue;
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

uint64_t MetricNote::PlaceOf(size_t nth_rank) const {
  if (listed.empty()) return first + nth_rank * stride;
  return nth_rank < listed.size() ? listed[nth_rank]
                                  : std::numeric_limits<uint64_t>::max();
}

std::map<std::string, MetricNote> MetricNotes(const v1::Run& run) {
  std::map<std::string, MetricNote> notes;
  for (size_t i = 0;; ++i) {
    const auto tag = run.tags().find(absl::StrCat(kMetricsTag, i));
    if (tag == run.tags().end()) return notes;
    for (const absl::string_view line :
         absl::StrSplit(tag->second, '\n', absl::SkipEmpty())) {
      const std::vector<std::string> fields = absl::StrSplit(line, '\t');
      if (fields.size() != 4) continue;
      MetricNote& note = notes[fields[0]];
      note.cls = fields[1];
      note.native = fields[2];
      DecodePlaces(fields[3], &note);
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
