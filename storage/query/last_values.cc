#include "storage/query/last_values.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <tuple>
#include <utility>

#include "storage/format/batch.h"
#include "storage/format/summary.h"
#include "storage/ingest/strip_builder.h"

namespace waterflow::storage {
namespace {

// One series as far as it was read.
class Accumulator {
 public:
  // Counts and extremes only.
  void Add(const Summary& summary) {
    total_.Merge(summary);
    count_ += summary.count;
    nan_count_ += summary.nan_count;
    pos_inf_count_ += summary.pos_inf_count;
    neg_inf_count_ += summary.neg_inf_count;
    if (summary.count > 0) {
      // Merge() counts in 32 bits, enough for a strip but not for a series.
      mean_ += (summary.mean - mean_) * summary.count / count_;
    }
  }
  // A candidate for the last value. Ties go to what arrived later, and
  // candidates come in the order of arrival.
  void Offer(std::optional<int64_t> step, int64_t time_ns, double value) {
    const auto key = std::tuple(step.has_value(), step.value_or(0), time_ns);
    const auto last =
        std::tuple(step_.has_value(), step_.value_or(0), time_ns_);
    if (has_last_ && key < last) return;
    has_last_ = true;
    step_ = step;
    time_ns_ = time_ns;
    value_ = value;
  }
  bool empty() const { return !has_last_; }

  LastValue Finish(const std::string& metric, const Worker& worker) const {
    constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
    const bool finite = count_ > 0;
    return {.metric = metric,
            .worker = worker,
            .value = value_,
            .step = step_,
            .time_ns = time_ns_,
            .count = count_,
            .nan_count = nan_count_,
            .pos_inf_count = pos_inf_count_,
            .neg_inf_count = neg_inf_count_,
            .min = finite ? total_.min : kNan,
            .max = finite ? total_.max : kNan,
            .mean = finite ? static_cast<double>(mean_) : kNan};
  }

 private:
  Summary total_;  // for its extremes
  uint64_t count_ = 0;
  uint64_t nan_count_ = 0;
  uint64_t pos_inf_count_ = 0;
  uint64_t neg_inf_count_ = 0;
  long double mean_ = 0;  // two means may be further apart than a double goes
  bool has_last_ = false;
  std::optional<int64_t> step_;
  int64_t time_ns_ = 0;
  double value_ = 0;
};

class LastValuesReader {
 public:
  LastValuesReader(const RunView& run, const Snapshot& snapshot,
                   SealedReader* sealed)
      : run_(run), snapshot_(snapshot), sealed_(sealed) {}

  absl::StatusOr<std::vector<LastValue>> Read() {
    series_.resize(run_.metrics.size());
    for (const SchemaId schema : run_.SchemasRead()) {
      // Columns in schema order, as StripReader wants them.
      std::vector<std::pair<uint32_t, size_t>> columns;  // column, metric
      for (size_t m = 0; m < run_.metrics.size(); ++m) {
        for (const MetricPlace& place : run_.metrics[m].places) {
          if (place.schema == schema) columns.emplace_back(place.column, m);
        }
      }
      std::sort(columns.begin(), columns.end());
      if (absl::Status s = ReadSealed(schema, columns); !s.ok()) return s;
      if (absl::Status s = ReadHeads(schema, columns); !s.ok()) return s;
    }
    std::vector<LastValue> values;
    for (size_t m = 0; m < series_.size(); ++m) {
      for (const auto& [worker, series] : series_[m]) {
        if (series.empty()) continue;
        values.push_back(
            series.Finish(run_.metrics[m].name, run_.workers[worker.value]));
      }
    }
    // Ids were given in the order in which workers came.
    std::sort(values.begin(), values.end(),
              [](const LastValue& a, const LastValue& b) {
                return std::tie(a.metric, a.worker) <
                       std::tie(b.metric, b.worker);
              });
    return values;
  }

 private:
  using Columns = std::vector<std::pair<uint32_t, size_t>>;

  // A strip whose rows are in axis order and all visible can be answered by
  // its summary.
  bool SummaryWillDo(const Strip& strip) const {
    if (!strip.times_ascend || (strip.has_step && !strip.steps_ascend)) {
      return false;
    }
    const std::optional<int64_t> hidden_from = run_.HiddenFrom(strip.attempt);
    return !strip.has_step || !hidden_from.has_value() ||
           strip.max_step < *hidden_from;
  }

  absl::Status ReadSealed(SchemaId schema, const Columns& columns) {
    absl::StatusOr<const std::vector<SealedRows>*> all = sealed_->Rows(schema);
    if (!all.ok()) return all.status();
    for (const SealedRows& rows : **all) {
      for (const auto& [column, metric] : columns) {
        if (absl::Status s = ReadWorkerBlock({schema, &rows, column}, metric);
            !s.ok()) {
          return s;
        }
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<StripSummary>> ReadSummaries(
      const SealedReader::Place& place) {
    const std::vector<Strip>& strips = place.rows->axis.strips();
    if (!HasSummaries(strips)) {
      return std::vector<StripSummary>(strips.size(), NoSummary());
    }
    absl::StatusOr<const SummaryBlock*> read = sealed_->ReadSummaries(place);
    if (!read.ok()) return read.status();
    return (*read)->Read(place.metric());
  }

  absl::Status ReadWorkerBlock(const SealedReader::Place& place,
                               size_t metric) {
    absl::StatusOr<std::vector<StripSummary>> summaries = ReadSummaries(place);
    if (!summaries.ok()) return summaries.status();
    const std::vector<Strip>& strips = place.rows->axis.strips();
    for (uint32_t i = 0; i < strips.size(); ++i) {
      const bool known = (*summaries)[i].known;
      const Summary& summary = (*summaries)[i].all;
      const Strip& strip = strips[i];
      if (!run_.Selects(strip)) continue;
      if (known && summary.values() == 0) continue;
      if (absl::Status s = ReadAxis(place.schema, *place.rows, i); !s.ok())
        return s;
      Accumulator& series = series_[metric][strip.worker];
      if (known && SummaryWillDo(strip)) {
        if (summary.last_row >= strip.rows) {
          return absl::DataLossError("summary points beyond its strip");
        }
        series.Add(summary);
        Offer(strip, axis_->columns, summary.last_row, summary.last, &series);
        continue;
      }
      absl::StatusOr<const Block*> block = sealed_->ReadBlock(place);
      if (!block.ok()) return block.status();
      ChunkValues chunk;
      if (absl::Status s =
              (*block)->Read(place.metric(), i, strip.rows, &chunk);
          !s.ok()) {
        return s;
      }
      if (chunk.values.empty()) continue;
      AddPoints(strip, axis_->columns, chunk, &series);
    }
    return absl::OkStatus();
  }

  // Decodes steps and times of a strip, once for all metrics that follow.
  absl::Status ReadAxis(SchemaId schema, const SealedRows& rows,
                        uint32_t strip) {
    axis_ = &axes_[{&rows, strip}];
    if (!axis_->columns.times_ns.empty()) return absl::OkStatus();
    if (rows.axis.strips()[strip].has_step) {
      if (absl::Status s = rows.axis.ReadSteps(strip, &axis_->columns.steps);
          !s.ok()) {
        return s;
      }
    }
    return sealed_->ReadTimes(schema, rows, strip, &axis_->columns.times_ns);
  }

  absl::Status ReadHeads(SchemaId schema, const Columns& columns) {
    const auto heads = snapshot_.heads.find(schema);
    if (heads == snapshot_.heads.end()) return absl::OkStatus();
    std::vector<uint32_t> wanted;
    for (const auto& [column, metric] : columns) wanted.push_back(column);
    const size_t metric_count = run_.schemas[schema.value]->metrics.size();
    StripReader reader(static_cast<uint32_t>(metric_count), wanted);
    std::vector<StripPlan> plans;
    StripColumns rows;
    for (const HeadRows& head : heads->second) {
      plans.clear();
      PlanStrips(head.worker, 0, head.batches, StripGrid(kMaxStripRows),
                 &plans);
      for (const StripPlan& plan : plans) {
        if (!run_.Selects(plan.strip)) continue;
        if (absl::Status s = reader.Read(plan, head.batches, &rows); !s.ok()) {
          return s;
        }
        for (size_t c = 0; c < columns.size(); ++c) {
          if (rows.metrics[c].values.empty()) continue;
          AddPoints(plan.strip, rows, rows.metrics[c],
                    &series_[columns[c].second][head.worker]);
        }
      }
    }
    return absl::OkStatus();
  }

  void AddPoints(const Strip& strip, const StripColumns& rows,
                 const ChunkValues& chunk, Accumulator* series) {
    const std::optional<int64_t> hidden_from = run_.HiddenFrom(strip.attempt);
    ChunkValues visible;
    size_t value = 0;
    for (uint32_t row = 0; row < chunk.rows; ++row) {
      if (!chunk.present.empty() && !IsPresent(chunk.present, row)) continue;
      const double v = chunk.values[value++];
      if (strip.has_step && hidden_from.has_value() &&
          rows.steps[row] >= *hidden_from) {
        continue;
      }
      visible.values.push_back(v);
      Offer(strip, rows, row, v, series);
    }
    visible.rows = static_cast<uint32_t>(visible.values.size());
    series->Add(Summarize(visible).all);
  }

  static void Offer(const Strip& strip, const StripColumns& rows, uint32_t row,
                    double value, Accumulator* series) {
    series->Offer(
        strip.has_step ? std::optional(rows.steps[row]) : std::nullopt,
        rows.times_ns[row], value);
  }

  struct DecodedAxis {
    StripColumns columns;
  };

  const RunView& run_;
  const Snapshot& snapshot_;
  SealedReader* const sealed_;
  std::vector<absl::btree_map<WorkerId, Accumulator>> series_;  // by metric
  std::map<std::pair<const SealedRows*, uint32_t>, DecodedAxis> axes_;
  DecodedAxis* axis_ = nullptr;
};

}  // namespace

absl::StatusOr<std::vector<LastValue>> ReadLastValues(const RunView& run,
                                                      const Snapshot& snapshot,
                                                      SealedReader* sealed) {
  return LastValuesReader(run, snapshot, sealed).Read();
}

}  // namespace waterflow::storage
