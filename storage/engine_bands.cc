// One metric of many runs along one axis: each run gives a value a bucket, and
// groups of runs (seeds of one setting) their mean and spread.
//
// Group by group, so that no more is held than the buckets of one; only with a
// metric as axis the points of all runs, for nobody knows its span before.
#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "storage/engine_core.h"
#include "storage/model/limits.h"
#include "storage/model/names.h"
#include "storage/query/bucket.h"
#include "storage/query/check.h"
#include "storage/query/select.h"
#include "storage/query/x_grid.h"

namespace waterflow::storage {
namespace {

constexpr uint64_t kBucketBytes = sizeof(BucketAccumulator) + sizeof(Bucket);

absl::Status CheckBandsSpec(const BandsSpec& spec) {
  if (absl::Status s =
          CheckSelection(spec.runs.size(), spec.run_filter, 1, {}, {});
      !s.ok()) {
    return s;
  }
  for (const absl::Status& s :
       {CheckName("metric", spec.metric, 1, kMaxMetricNameBytes),
        CheckName("x_metric", spec.x_metric, 0, kMaxMetricNameBytes),
        CheckRange("step_range", spec.step_range),
        CheckCount("group_by", spec.group_by.size(), 0, kMaxGroupBy)}) {
    if (!s.ok()) return s;
  }
  if (spec.max_points > kMaxReadPoints) {
    return absl::InvalidArgumentError(absl::StrCat(
        "max_points ", spec.max_points, ": at most ", kMaxReadPoints));
  }
  if (spec.reduction == Reduction::kNone ||
      spec.reduction > Reduction::kDefault) {
    return absl::InvalidArgumentError(
        absl::StrCat("reduction ", static_cast<int>(spec.reduction),
                     ": a run has one value in a bucket, say which"));
  }
  const bool by_step = spec.axis == Axis::kStep && spec.x_metric.empty();
  if (!spec.x_metric.empty() && spec.axis != Axis::kStep) {
    return absl::InvalidArgumentError(
        "x_metric: takes the place of the axis; leave that out");
  }
  if (spec.max_points == 0 && !by_step) {
    return absl::InvalidArgumentError(
        "max_points 0: runs share steps, but neither times nor values of "
        "x_metric; say how many buckets");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Field>> ParseGroups(
    const std::vector<std::string>& texts) {
  std::vector<Field> fields;
  for (size_t i = 0; i < texts.size(); ++i) {
    absl::StatusOr<Field> field = ParseColumn(texts[i]);
    absl::Status status = field.status();
    if (status.ok() && TypeOf(*field) != FieldType::kText) {
      status = absl::InvalidArgumentError(
          absl::StrCat(Quoted(texts[i]),
                       ": runs are grouped by params, tags and attributes that "
                       "are text"));
    }
    if (!status.ok()) {
      return absl::Status(
          status.code(), absl::StrCat("group_by[", i, "]: ", status.message()));
    }
    fields.push_back(*std::move(field));
  }
  return fields;
}

// One value of a run in a bucket.
Piece PieceOf(const Bucket& bucket, uint32_t run) {
  Piece piece{.first_position = bucket.first_position,
              .last_position = bucket.last_position,
              .first = bucket.value,
              .last = bucket.value,
              .first_worker = run,
              .last_worker = run,
              .min_position = bucket.first_position,
              .max_position = bucket.first_position,
              .min_worker = run,
              .max_worker = run};
  if (!std::isfinite(bucket.value)) {
    // (A sum may be infinite though its parts are not.)
    piece.nan_count = std::isnan(bucket.value) ? 1 : 0;
    piece.pos_inf_count = bucket.value > 0 ? 1 : 0;
    piece.neg_inf_count = bucket.value < 0 ? 1 : 0;
    return piece;
  }
  piece.count = 1;
  piece.sum = bucket.value;
  piece.min = bucket.value;
  piece.max = bucket.value;
  return piece;
}

absl::Status TooLarge(uint64_t bytes, uint64_t limit) {
  return absl::ResourceExhaustedError(
      absl::StrCat("the runs take ", bytes,
                   " bytes at a time, and the server gives a query ", limit,
                   " (--query-memory): ask for fewer runs or buckets "
                   "(max_points), or narrow "
                   "step_range"));
}

// The buckets of one group, on whatever axis.
class GroupBuckets {
 public:
  // `span`: of all runs; absent: a bucket a step.
  GroupBuckets(std::optional<Interval> span, uint32_t max_points) {
    if (span.has_value()) table_.emplace(*span, max_points);
  }
  void Add(const Bucket& bucket, uint32_t run) {
    const Piece piece = PieceOf(bucket, run);
    if (table_.has_value()) {
      table_->AddPiece(piece);
    } else {
      steps_[bucket.first_position].AddPiece(piece);
    }
  }
  uint64_t bytes() const {
    return (table_.has_value() ? table_->size() : steps_.size()) * kBucketBytes;
  }
  std::vector<Bucket> Finish() const {
    if (table_.has_value()) return table_->Finish(Reduction::kMean);
    std::vector<Bucket> buckets;
    for (const auto& [step, values] : steps_) {
      buckets.push_back(values.Finish(Reduction::kMean));
    }
    return buckets;
  }

 private:
  std::optional<BucketTable> table_;
  absl::btree_map<int64_t, BucketAccumulator> steps_;
};

}  // namespace

absl::StatusOr<ReadSummary> EngineCore::Bands(const BandsSpec& spec,
                                              const GroupSink& sink) {
  if (absl::Status s = CheckBandsSpec(spec); !s.ok()) return s;
  const absl::StatusOr<std::vector<Field>> fields = ParseGroups(spec.group_by);
  if (!fields.ok()) return fields.status();
  std::vector<Uuid> runs = spec.runs;
  if (spec.run_filter.has_value()) {
    absl::StatusOr<std::vector<Uuid>> found =
        FindRunIds(*spec.run_filter, spec.cancelled);
    if (!found.ok()) return found.status();
    runs = *std::move(found);
  }
  absl::StatusOr<std::vector<RunGroup>> groups = GroupRuns(spec, *fields, runs);
  if (!groups.ok()) return groups.status();
  ReadSummary summary;
  summary.exact = false;
  absl::Status answered = spec.x_metric.empty()
                              ? BandsAlongAxis(spec, *groups, sink, &summary)
                              : BandsAlongMetric(spec, *groups, sink, &summary);
  if (!answered.ok()) return answered;
  return summary;
}

absl::StatusOr<std::vector<RunGroup>> EngineCore::GroupRuns(
    const BandsSpec& spec, const std::vector<Field>& fields,
    const std::vector<Uuid>& runs) {
  std::vector<RunGroup> groups;
  std::map<std::vector<std::optional<std::string>>, size_t> places;
  bool any = false;
  absl::flat_hash_set<Uuid> seen;
  MutexLock lock(&mutex_);
  const std::vector<std::string> metrics =
      spec.x_metric.empty()
          ? std::vector<std::string>{spec.metric}
          : std::vector<std::string>{spec.metric, spec.x_metric};
  for (const Uuid& id : runs) {
    absl::StatusOr<const RunState*> state = catalog_.FindRun(id);
    // One that a search found was deleted just now.
    if (!state.ok() && spec.run_filter.has_value()) continue;
    if (!state.ok()) return state.status();
    if (!seen.insert(id).second) continue;
    if (MetricsOf(LineageStates(**state), metrics).size() < metrics.size()) {
      continue;
    }
    any = true;
    RunTablePart part;
    part.columns.resize(fields.size());
    size_t text_bytes = 0;
    FillRow({.run = (*state)->id, .id = id, .known = {}}, fields, &part,
            &text_bytes);
    std::vector<std::optional<std::string>> key;
    for (TableColumn& column : part.columns) {
      std::optional<std::string>& text = key.emplace_back();
      if (column.has_value[0]) text = std::move(column.texts[0]);
    }
    const auto [it, is_new] = places.try_emplace(key, groups.size());
    if (is_new) {
      groups.emplace_back().key = std::move(key);
    }
    groups[it->second].runs.push_back(id);
  }
  if (any) return groups;
  return absl::NotFoundError(absl::StrCat(
      "metric: ", Quoted(spec.metric),
      spec.x_metric.empty()
          ? ""
          : absl::StrCat(" together with the x_metric ", Quoted(spec.x_metric)),
      " is in none of the runs"));
}

absl::StatusOr<bool> EngineCore::ReadOneRun(
    const ReadSpec& read, const std::function<void(const Bucket&)>& take,
    ReadSummary* total) {
  bool any = false;
  absl::StatusOr<ReadSummary> summary =
      ReadSelected(read, [&](const SeriesPart& part) {
        for (const Bucket& bucket : part.buckets) take(bucket);
        any = any || !part.buckets.empty();
        return absl::OkStatus();
      });
  if (absl::IsNotFound(summary.status())) return false;  // deleted just now
  if (!summary.ok()) {
    return absl::Status(summary.status().code(),
                        absl::StrCat("run ", read.runs[0].ToHex(), ": ",
                                     summary.status().message()));
  }
  total->points_read += summary->points_read;
  total->points_summarised += summary->points_summarised;
  total->chunks_decoded += summary->chunks_decoded;
  total->chunks_summarised += summary->chunks_summarised;
  total->position = std::max(total->position, summary->position);
  std::move(summary->lost.begin(), summary->lost.end(),
            std::back_inserter(total->lost));
  std::move(summary->attempts.begin(), summary->attempts.end(),
            std::back_inserter(total->attempts));
  return any;
}

absl::StatusOr<std::optional<Interval>> EngineCore::SpanOf(
    const BandsSpec& spec, const std::vector<RunGroup>& groups) {
  std::optional<Interval> span;
  for (const RunGroup& group : groups) {
    for (const Uuid& run : group.runs) {
      if (spec.cancelled != nullptr && spec.cancelled()) {
        return absl::CancelledError("the client left");
      }
      absl::StatusOr<Lineage> lineage =
          LineageOf(run, {spec.metric}, std::nullopt);
      if (absl::IsNotFound(lineage.status())) continue;  // deleted just now
      if (!lineage.ok()) return lineage.status();
      if (lineage->metrics().empty()) continue;
      LineageReader reader(*lineage, database_.get(), &state_);
      const absl::StatusOr<MetricPlan> plan =
          reader.Plan(0, {.axis = spec.axis,
                          .step_range = spec.step_range,
                          .time_range = std::nullopt});
      if (!plan.ok()) return plan.status();
      if (plan->workers().empty()) continue;
      const Interval of_run = plan->span();
      if (!span.has_value()) span = of_run;
      span->first = std::min(span->first, of_run.first);
      span->last = std::max(span->last, of_run.last);
    }
  }
  return span;
}

absl::Status EngineCore::BandsAlongAxis(const BandsSpec& spec,
                                        std::vector<RunGroup>& groups,
                                        const GroupSink& sink,
                                        ReadSummary* summary) {
  ReadSpec read;
  read.metrics = {spec.metric};
  read.axis = spec.axis;
  read.step_range = spec.step_range;
  read.max_points = spec.max_points;
  read.reduction = spec.reduction;
  read.cancelled = spec.cancelled;
  if (spec.max_points > 0) {
    absl::StatusOr<std::optional<Interval>> span = SpanOf(spec, groups);
    if (!span.ok()) return span.status();
    if (!span->has_value()) return absl::OkStatus();
    // All runs on one grid. What comes in from now on is left out.
    read.bucket_span = **span;
  }
  for (RunGroup& group : groups) {
    GroupBuckets buckets(read.bucket_span, spec.max_points);
    std::vector<Uuid> heard;
    for (const Uuid& run : group.runs) {
      read.runs = {run};
      const auto place = static_cast<uint32_t>(heard.size());
      absl::StatusOr<bool> any = ReadOneRun(
          read, [&](const Bucket& b) { buckets.Add(b, place); }, summary);
      if (!any.ok()) return any.status();
      if (*any) heard.push_back(run);
      if (buckets.bytes() > options_.query_memory_bytes) {
        return TooLarge(buckets.bytes(), options_.query_memory_bytes);
      }
    }
    if (heard.empty()) continue;
    group.runs = std::move(heard);
    group.buckets = buckets.Finish();
    if (absl::Status s = sink(std::move(group)); !s.ok()) return s;
  }
  return absl::OkStatus();
}

absl::Status EngineCore::BandsAlongMetric(const BandsSpec& spec,
                                          std::vector<RunGroup>& groups,
                                          const GroupSink& sink,
                                          ReadSummary* summary) {
  struct Point {
    double x = 0;
    double y = 0;
    int64_t step = 0;
  };
  std::vector<std::vector<std::vector<Point>>> points(groups.size());
  ReadSpec read;
  read.step_range = spec.step_range;
  read.cancelled = spec.cancelled;
  uint64_t bytes = 0;
  double min = 0;
  double max = 0;
  for (size_t g = 0; g < groups.size(); ++g) {
    for (const Uuid& run : groups[g].runs) {
      read.runs = {run};
      // The metric that is x is reduced by its own way.
      read.metrics = {spec.x_metric};
      read.reduction = Reduction::kDefault;
      absl::flat_hash_map<int64_t, double> xs;
      absl::StatusOr<bool> any = ReadOneRun(
          read,
          [&](const Bucket& step) {
            if (step.count > 0 && std::isfinite(step.value)) {
              xs[step.first_position] = step.value;
            }
          },
          summary);
      if (!any.ok()) return any.status();
      read.metrics = {spec.metric};
      read.reduction = spec.reduction;
      std::vector<Point>& of_run = points[g].emplace_back();
      any = ReadOneRun(
          read,
          [&](const Bucket& step) {
            const auto x = xs.find(step.first_position);
            if (x == xs.end()) return;
            of_run.push_back({x->second, step.value, step.first_position});
          },
          summary);
      if (!any.ok()) return any.status();
      for (const Point& point : of_run) {
        min = bytes == 0 ? point.x : std::min(min, point.x);
        max = bytes == 0 ? point.x : std::max(max, point.x);
        bytes += sizeof(Point);
      }
      if (bytes > options_.query_memory_bytes) {
        return TooLarge(bytes, options_.query_memory_bytes);
      }
    }
  }
  if (bytes == 0) return absl::OkStatus();
  const XGrid grid(min, max, spec.max_points);
  // A run's points in a bucket, then the group's.
  struct Cell {
    BucketAccumulator values;
    double first_x = 0;
    double last_x = 0;
    bool empty = true;
  };
  for (size_t g = 0; g < groups.size(); ++g) {
    RunGroup& group = groups[g];
    absl::btree_map<double, Cell> cells;
    std::vector<Uuid> heard;
    for (size_t r = 0; r < group.runs.size(); ++r) {
      if (points[g][r].empty()) continue;
      absl::btree_map<double, BucketAccumulator> of_run;
      for (const Point& point : points[g][r]) {
        of_run[grid.CellOf(point.x)].Add(point.step, point.y, 0);
        Cell& cell = cells[grid.CellOf(point.x)];
        cell.first_x = cell.empty ? point.x : std::min(cell.first_x, point.x);
        cell.last_x = cell.empty ? point.x : std::max(cell.last_x, point.x);
        cell.empty = false;
      }
      for (const auto& [cell, values] : of_run) {
        cells[cell].values.AddPiece(
            PieceOf(values.Finish(Reduction::kMean),
                    static_cast<uint32_t>(heard.size())));
      }
      heard.push_back(group.runs[r]);
    }
    if (heard.empty()) continue;
    group.runs = std::move(heard);
    for (const auto& [place, cell] : cells) {
      group.buckets.push_back(cell.values.Finish(Reduction::kMean));
      group.first_x.push_back(cell.first_x);
      group.last_x.push_back(cell.last_x);
    }
    points[g].clear();
    if (absl::Status s = sink(std::move(group)); !s.ok()) return s;
  }
  return absl::OkStatus();
}

}  // namespace waterflow::storage
