#include "tests/model/naive_engine.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <tuple>

namespace waterflow::storage::model {

uint32_t NaiveRun::Schema(const std::vector<std::string>& names) {
  const auto it = std::find(schemas.begin(), schemas.end(), names);
  const uint32_t id = static_cast<uint32_t>(it - schemas.begin());
  if (it == schemas.end()) schemas.push_back(names);
  return id;
}

uint64_t NaiveRun::RowCount(const std::optional<Worker>& worker) const {
  uint64_t count = 0;
  for (const auto& [key, list] : rows) {
    if (!worker.has_value() || key.second == *worker) count += list.size();
  }
  return count;
}

uint64_t NaiveRun::ValueCount() const {
  uint64_t count = 0;
  for (const auto& [key, list] : rows) {
    for (const auto& row : list) count += row->values.size();
  }
  return count;
}

std::set<std::string> NaiveRun::Metrics() const {
  std::set<std::string> metrics;
  for (const auto& names : schemas) metrics.insert(names.begin(), names.end());
  return metrics;
}

// ---- tracking ----

bool NaiveEngine::CreateProject(const std::string& name, const Tags& tags) {
  return projects_.emplace(name, NaiveProject{.tags = tags}).second;
}

void NaiveEngine::UpdateProject(const std::string& name,
                                const UpdateProjectOptions& change) {
  auto node = projects_.extract(name);
  NaiveProject& project = node.mapped();
  for (const std::string& key : change.remove_tags) project.tags.erase(key);
  for (const auto& [key, value] : change.set_tags) project.tags[key] = value;
  if (change.retention_age_ns.has_value()) {
    project.retention_age_ns = *change.retention_age_ns;
  }
  if (change.new_name.has_value()) {
    node.key() = *change.new_name;
    for (auto& [id, run] : runs_) {
      if (run.project == name) run.project = *change.new_name;
    }
  }
  projects_.insert(std::move(node));
}

bool NaiveEngine::DeleteProject(const std::string& name) {
  if (projects_.erase(name) == 0) return false;
  std::vector<Uuid> gone;
  for (const auto& [id, run] : runs_) {
    if (run.project == name) gone.push_back(id);
  }
  for (const Uuid& id : gone) DeleteRun(id);
  return true;
}

NaiveRun* NaiveEngine::CreateRun(const CreateRunOptions& options) {
  for (const auto& [id, run] : runs_) {
    const bool same_key = !options.key.empty() && run.key == options.key &&
                          run.project == options.project;
    if (same_key) return nullptr;
  }
  if (runs_.contains(*options.id) || deleted_.contains(*options.id)) {
    return nullptr;
  }
  projects_.try_emplace(options.project);
  NaiveRun& run = runs_[*options.id];
  run.id = *options.id;
  run.project = options.project;
  run.name = options.name;
  run.key = options.key;
  run.params = options.params;
  run.tags = options.tags;
  run.start_ns = options.start_ns;
  return &run;
}

bool NaiveEngine::DeleteRun(const Uuid& run) {
  if (runs_.erase(run) == 0) return false;
  deleted_.insert(run);
  return true;
}

void NaiveEngine::UpdateRun(NaiveRun& run, const UpdateRunOptions& change) {
  if (change.status.has_value()) {
    run.status = *change.status;
    run.end_ns = std::nullopt;
    if (run.status < RunStatus::kFinished) run.end_ns = 0;
  }
  if (change.end_ns.has_value()) run.end_ns = change.end_ns;
  if (change.name.has_value()) run.name = *change.name;
  for (const auto& [key, value] : change.set_params) run.params[key] = value;
  for (const std::string& key : change.remove_tags) run.tags.erase(key);
  for (const auto& [key, value] : change.set_tags) run.tags[key] = value;
}

NaiveRun* NaiveEngine::Find(const Uuid& run) {
  const auto it = runs_.find(run);
  return it == runs_.end() ? nullptr : &it->second;
}

// ---- values in ----

void NaiveEngine::OpenStream(NaiveRun& run, const StreamOptions& options) {
  run.workers.insert(options.worker);
  std::optional<int64_t>& resume = run.attempts[options.attempt].resume_step;
  if (options.resume_step.has_value()) {
    resume =
        std::min(resume.value_or(*options.resume_step), *options.resume_step);
  }
}

bool NaiveEngine::Declare(NaiveRun& run, const LaneKey& key,
                          const std::vector<Metric>& metrics,
                          std::optional<uint64_t> held) {
  std::vector<std::string> names;
  for (const Metric& metric : metrics) names.push_back(metric.name);
  const uint32_t schema = run.Schema(names);
  const auto [it, is_new] = run.lanes.try_emplace(key, NaiveLane{schema, 0});
  NaiveLane& lane = it->second;
  if (lane.schema != schema) return false;
  if (held.value_or(0) > lane.next_row) {
    run.lost.push_back({key, schema, lane.next_row, *held});
    lane.next_row = *held;
  }
  // The first that says anything is believed.
  for (const Metric& metric : metrics) {
    Metric nothing;
    nothing.name = metric.name;
    if (metric == nothing) continue;
    run.metadata.try_emplace(metric.name,
                             NaiveMetadata{metric, key, lane.next_row});
  }
  return true;
}

void NaiveEngine::Append(NaiveRun& run, const LaneKey& key, uint64_t first_row,
                         const std::vector<NaiveRow>& rows) {
  NaiveLane& lane = run.lanes.at(key);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (first_row + i < lane.next_row) continue;
    auto row = std::make_shared<NaiveRow>(rows[i]);
    row->lane = key;
    row->lane_row = first_row + i;
    if (row->step.has_value() && lane.stepped_attempt != row->attempt) {
      lane.stepped_attempt = row->attempt;
      NoteFirstStep(run, row->attempt, *row->step);
    }
    run.rows[{lane.schema, key.worker}].push_back(std::move(row));
    lane.next_row = first_row + i + 1;
  }
}

void NaiveEngine::Void(NaiveRun& run, const LaneKey& key, uint64_t end_row) {
  NaiveLane& lane = run.lanes.at(key);
  lane.next_row = std::max(lane.next_row, end_row);
}

void NaiveEngine::NoteFirstStep(NaiveRun& run, uint32_t attempt, int64_t step) {
  std::optional<int64_t>& first = run.attempts[attempt].first_step;
  first = std::min(first.value_or(step), step);
}

bool NaiveEngine::Write(NaiveRun& run, const WriteOptions& write,
                        int64_t now_ns) {
  if (!write.request_id.empty() &&
      !requests_.emplace(write.request_id, write.points.size()).second) {
    return false;
  }
  StreamOptions as_stream;
  as_stream.worker = write.worker;
  as_stream.attempt = write.attempt;
  OpenStream(run, as_stream);
  // Points of one step and time are one row, unless a metric comes again.
  struct Row {
    std::optional<int64_t> step;
    std::optional<int64_t> time_ns;
    std::map<std::string, double> values;
  };
  std::vector<Row> rows;
  for (const PointToWrite& p : write.points) {
    auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& r) {
      return r.step == p.step && r.time_ns == p.time_ns &&
             !r.values.contains(p.metric);
    });
    if (row == rows.end()) {
      row = rows.insert(rows.end(), Row{p.step, p.time_ns, {}});
    }
    row->values[p.metric] = p.value;
  }
  const auto stamp = std::make_shared<Stamp>(Stamp{.time_ns = now_ns});
  std::set<LaneKey> fresh;  // said no step in this attempt before
  for (const Row& r : rows) {
    std::vector<Metric> names;
    NaiveRow row;
    row.attempt = write.attempt;
    row.step = r.step;
    row.stamped = !r.time_ns.has_value();
    row.time_ns = r.time_ns.value_or(0);
    row.stamp = stamp;
    for (const auto& [metric, value] : r.values) {
      row.values[static_cast<uint32_t>(names.size())] =
          std::bit_cast<uint64_t>(value);
      names.emplace_back().name = metric;
    }
    std::vector<std::string> plain;
    for (const Metric& metric : names) plain.push_back(metric.name);
    const LaneKey key{write.worker, Uuid{}, run.Schema(plain)};
    Declare(run, key, names, std::nullopt);
    // Rows of one request have no order: the smallest step is its first.
    const bool stepped = !fresh.contains(key) &&
                         run.lanes.at(key).stepped_attempt == write.attempt;
    if (row.step.has_value() && !stepped) {
      fresh.insert(key);
      NoteFirstStep(run, write.attempt, *row.step);
    }
    Append(run, key, run.lanes.at(key).next_row, {row});
  }
  return true;
}

void NaiveEngine::Truncate(NaiveRun& run, const LaneKey& key,
                           uint64_t next_row) {
  NaiveLane& lane = run.lanes.at(key);
  std::erase_if(run.rows[{lane.schema, key.worker}], [&](const auto& row) {
    return row->lane == key && row->lane_row >= next_row;
  });
  std::erase_if(run.lost, [&](const NaiveLost& lost) {
    return lost.lane == key && lost.end_row > next_row;
  });
  lane.next_row = std::min(lane.next_row, next_row);
}

// ---- values out ----

bool NaiveEngine::Hidden(const NaiveRun& run, const NaiveRow& row) {
  if (!row.step.has_value()) return false;
  for (const auto& [attempt, value] : run.attempts) {
    if (attempt <= row.attempt) continue;
    const std::optional<int64_t> from =
        value.resume_step.has_value() ? value.resume_step : value.first_step;
    if (from.has_value() && *row.step >= *from) return true;
  }
  return false;
}

namespace {

// Calls visit(worker, column, row) for the rows of schemas with the metric that
// are visible and in the ranges.
template <typename Visit>
void ForEachRow(const NaiveRun& run, const std::string& metric,
                const ReadSpec& spec, Visit visit) {
  const auto& [steps, times] = std::tie(spec.step_range, spec.time_range);
  for (const auto& [key, rows] : run.rows) {  // by schema, then worker
    const std::vector<std::string>& names = run.schemas[key.first];
    const auto name = std::find(names.begin(), names.end(), metric);
    if (name == names.end()) continue;
    if (spec.workers.has_value() &&
        std::count(spec.workers->begin(), spec.workers->end(), key.second) ==
            0) {
      continue;
    }
    const uint32_t column = static_cast<uint32_t>(name - names.begin());
    for (const auto& row : rows) {
      if (NaiveEngine::Hidden(run, *row)) continue;
      if (spec.axis == Axis::kStep && !row->step.has_value()) continue;
      if (steps.has_value() &&
          (!row->step.has_value() || !steps->Contains(*row->step))) {
        continue;
      }
      if (times.has_value() && !times->Contains(row->time())) continue;
      visit(key.second, column, row.get());
    }
  }
}

}  // namespace

std::vector<const NaiveRow*> NaiveEngine::Rows(const NaiveRun& run,
                                               const std::string& metric,
                                               const ReadSpec& spec) {
  std::vector<const NaiveRow*> all;
  ForEachRow(run, metric, spec, [&](const Worker&, uint32_t, NaiveRow* row) {
    all.push_back(row);
  });
  return all;
}

std::map<Worker, std::vector<NaivePoint>> NaiveEngine::Raw(
    const NaiveRun& run, const std::string& metric, const ReadSpec& spec) {
  std::map<Worker, std::vector<NaivePoint>> all;
  ForEachRow(run, metric, spec,
             [&](const Worker& worker, uint32_t column, NaiveRow* row) {
               const auto value = row->values.find(column);
               if (value != row->values.end()) {
                 all[worker].push_back({row, value->second});
               }
             });
  for (auto& [worker, points] : all) {
    std::stable_sort(points.begin(), points.end(),
                     [&spec](const NaivePoint& a, const NaivePoint& b) {
                       const NaiveRow& x = *a.row;
                       const NaiveRow& y = *b.row;
                       if (spec.axis != Axis::kStep) return x.time() < y.time();
                       return std::pair(*x.step, x.time()) <
                              std::pair(*y.step, y.time());
                     });
  }
  return all;
}

std::vector<LastValue> NaiveEngine::LastValues(const NaiveRun& run,
                                               const LastValuesSpec& spec) {
  std::vector<LastValue> answer;
  ReadSpec all;
  all.axis = Axis::kTime;
  all.workers = spec.workers;
  for (const std::string& metric : run.Metrics()) {
    if (!spec.metrics.empty() &&
        std::count(spec.metrics.begin(), spec.metrics.end(), metric) == 0) {
      continue;
    }
    for (const auto& [worker, points] : Raw(run, metric, all)) {
      constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
      LastValue last{.metric = metric, .worker = worker, .step = std::nullopt};
      last.min = last.max = last.mean = kNan;
      long double sum = 0;
      // Raw() is by time; rows at one time are in the order they were logged.
      const NaivePoint* best = nullptr;
      for (const NaivePoint& p : points) {
        const auto key = [](const NaiveRow& r) {
          return std::tuple(r.step.has_value(), r.step.value_or(0), r.time());
        };
        if (best == nullptr || key(*p.row) >= key(*best->row)) best = &p;
        const double value = std::bit_cast<double>(p.bits);
        if (std::isnan(value)) {
          ++last.nan_count;
        } else if (std::isinf(value)) {
          ++(value > 0 ? last.pos_inf_count : last.neg_inf_count);
        } else {
          last.min = last.count == 0 ? value : std::min(last.min, value);
          last.max = last.count == 0 ? value : std::max(last.max, value);
          ++last.count;
          sum += value;
        }
      }
      last.value = std::bit_cast<double>(best->bits);
      last.step = best->row->step;
      last.time_ns = best->row->time();
      if (last.count > 0) last.mean = static_cast<double>(sum / last.count);
      answer.push_back(last);
    }
  }
  return answer;
}

}  // namespace waterflow::storage::model
