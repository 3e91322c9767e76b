#include "storage/query/bucket_filler.h"

#include <algorithm>
#include <cmath>

namespace waterflow::storage {
namespace {

// Of some 110 bytes each.
constexpr size_t kMaxKeptSummaries = 200'000;

bool LiesWithin(const Summary& s, const Strip& strip) {
  return s.values() == 0 ||
         (s.first_row <= s.last_row && s.last_row < strip.rows &&
          s.min_row < strip.rows && s.max_row < strip.rows);
}

}  // namespace

absl::Status BucketFiller::Fill(const WorkerPlan& worker, uint32_t order,
                                BucketTable* buckets) {
  if (!worker.ordered) {
    absl::Status s = reader_->Read(worker, /*whole=*/false, &series_);
    if (!s.ok()) return s;
    buckets->Add({order, *series_.positions, series_.values});
    return absl::OkStatus();
  }
  for (const PlannedStrip& planned : worker.strips) {
    if (absl::Status s = FillFromStrip(planned, order, buckets); !s.ok()) {
      return s;
    }
  }
  return absl::OkStatus();
}

absl::Status BucketFiller::FillFromStrip(const PlannedStrip& planned,
                                         uint32_t order, BucketTable* buckets) {
  const auto add_points = [&](const SeriesReader::StripPoints& points,
                              size_t begin, size_t end) {
    if (begin == end) return;
    buckets->Add({order, points.positions.subspan(begin, end - begin),
                  points.values.subspan(begin, end - begin)});
  };
  absl::StatusOr<const StripSummary*> found = nullptr;
  // Quantiles take every point.
  if (!buckets->keeps_values()) found = SummaryOf(planned);
  if (!found.ok()) return found.status();
  const StripSummary* const summary = *found;
  const bool one_bucket =
      buckets->InOneBucket(planned.span.first, planned.span.last);
  if (summary == nullptr || (summary->span_count == 0 && !one_bucket)) {
    absl::StatusOr<SeriesReader::StripPoints> points =
        reader_->ReadStrip(planned);
    if (!points.ok()) return points.status();
    add_points(*points, 0, points->values.size());
    return absl::OkStatus();
  }
  if (summary->all.values() == 0) return absl::OkStatus();
  if (absl::Status s = LoadPositions(planned); !s.ok()) return s;
  if (one_bucket) {
    if (const auto piece = ToPiece(summary->all, order)) {
      buckets->AddPiece(*piece);
      counts_->points_summarised += summary->all.values();
      ++counts_->chunks_summarised;
      return absl::OkStatus();
    }
  }
  if (summary->span_count > 0) {
    if (absl::Status s = ReadSpans(planned); !s.ok()) return s;
  }
  // Span by span; the points are read when the first span takes them.
  std::optional<SeriesReader::StripPoints> points;
  size_t at = 0;  // of `points`
  uint64_t summarised = 0;
  const uint32_t rows = planned.strip.rows;
  for (uint32_t begin = 0; begin < rows; begin += kSummarySpanRows) {
    const uint32_t end = std::min(rows, begin + kSummarySpanRows);
    if (!summary->spans.empty()) {
      const Summary& span = summary->spans[begin / kSummarySpanRows];
      if (span.values() == 0) continue;
      if (buckets->InOneBucket(PositionOfRow(span.first_row),
                               PositionOfRow(span.last_row))) {
        if (const auto piece = ToPiece(span, order)) {
          buckets->AddPiece(*piece);
          summarised += span.values();
          continue;
        }
      }
    }
    if (!points.has_value()) {
      absl::StatusOr<SeriesReader::StripPoints> read =
          reader_->ReadStrip(planned);
      if (!read.ok()) return read.status();
      points = *read;
    }
    if (points->rows.empty()) {
      add_points(*points, begin, end);
      continue;
    }
    const auto place = [&](uint32_t row) {
      return std::lower_bound(points->rows.begin() + at, points->rows.end(),
                              row) -
             points->rows.begin();
    };
    at = place(begin);
    add_points(*points, at, place(end));
  }
  if (summarised > 0) {
    counts_->points_summarised += summarised;
    ++counts_->chunks_summarised;
  }
  return absl::OkStatus();
}

absl::StatusOr<const StripSummary*> BucketFiller::SummaryOf(
    const PlannedStrip& planned) {
  if (planned.head != nullptr || !planned.all_pass ||
      planned.strip.rows < kMinSummaryRows) {
    return nullptr;
  }
  const std::pair key(planned.place.rows, planned.place.column);
  auto it = summaries_.find(key);
  if (it == summaries_.end()) {
    absl::StatusOr<const SummaryBlock*> block =
        planned.source->sealed.ReadSummaries(planned.place);
    if (!block.ok()) return block.status();
    absl::StatusOr<std::vector<StripSummary>> all =
        (*block)->Read(planned.place.metric());
    if (!all.ok()) return all.status();
    if (kept_summaries_ > kMaxKeptSummaries) {
      summaries_.clear();
      kept_summaries_ = 0;
    }
    kept_summaries_ += all->size();
    it = summaries_
             .emplace(key, Kept{.strips = *std::move(all),
                                .with_spans = !(*block)->spans_apart()})
             .first;
  }
  const StripSummary& summary = it->second.strips[planned.index];
  const size_t spans =
      (planned.strip.rows + kSummarySpanRows - 1) / kSummarySpanRows;
  if ((summary.span_count != 0 && summary.span_count != spans) ||
      !LiesWithin(summary.all, planned.strip)) {
    return absl::DataLossError("summary points beyond its strip");
  }
  return summary.known ? &summary : nullptr;
}

absl::Status BucketFiller::ReadSpans(const PlannedStrip& planned) {
  Kept& kept = summaries_[{planned.place.rows, planned.place.column}];
  if (!kept.with_spans) {
    absl::StatusOr<const SummaryBlock*> block =
        planned.source->sealed.ReadSummaries(planned.place);
    if (!block.ok()) return block.status();
    if (absl::Status s = planned.source->sealed.ReadSpans(
            planned.place, **block, &kept.strips);
        !s.ok()) {
      return s;
    }
    kept.with_spans = true;
    for (const StripSummary& strip : kept.strips) {
      kept_summaries_ += strip.span_count;
    }
  }
  for (const Summary& span : kept.strips[planned.index].spans) {
    if (!LiesWithin(span, planned.strip)) {
      return absl::DataLossError(
          "the summary of a span points beyond its strip");
    }
  }
  return absl::OkStatus();
}

absl::Status BucketFiller::LoadPositions(const PlannedStrip& planned) {
  planned_ = &planned;
  progression_.reset();
  const AxisBlock& axis = planned.place.rows->axis;
  if (filter_.axis != Axis::kStep) {
    return planned.source->sealed.ReadTimes(planned.place.schema,
                                            *planned.place.rows, planned.index,
                                            &columns_.times_ns);
  }
  progression_ = axis.StepsProgression(planned.index);
  if (progression_.has_value()) return absl::OkStatus();
  return axis.ReadSteps(planned.index, &columns_.steps);
}

int64_t BucketFiller::PositionOfRow(uint32_t row) const {
  if (progression_.has_value()) return progression_->At(row);
  return PositionOf(columns_, row, filter_.axis,
                    planned_->source->view->start_ns);
}

std::optional<Piece> BucketFiller::ToPiece(const Summary& s,
                                           uint32_t order) const {
  const double spread = s.max - s.min;
  // Of values near the ends of a double's range the squares are not exact.
  const bool plain = s.count == 0 || spread == 0 ||
                     (spread > 1e-140 && spread < 1e140 && std::isfinite(s.m2));
  if (!plain) return std::nullopt;
  Piece piece{.first_position = PositionOfRow(s.first_row),
              .last_position = PositionOfRow(s.last_row),
              .first = s.first,
              .last = s.last,
              .first_worker = order,
              .last_worker = order,
              .nan_count = s.nan_count,
              .pos_inf_count = s.pos_inf_count,
              .neg_inf_count = s.neg_inf_count,
              .count = s.count};
  if (s.count == 0) return piece;
  piece.sum = static_cast<long double>(s.mean) * s.count;
  piece.squares = s.m2;
  piece.min = s.min;
  piece.max = s.max;
  piece.min_position = PositionOfRow(s.min_row);
  piece.max_position = PositionOfRow(s.max_row);
  piece.min_worker = piece.max_worker = order;
  return piece;
}

}  // namespace waterflow::storage
