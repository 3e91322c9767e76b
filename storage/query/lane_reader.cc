#include "storage/query/lane_reader.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace waterflow::storage {
namespace {

// Closes a part: flags that say nothing new go.
void CloseInto(TailPart* part, std::vector<TailPart>* parts) {
  Points& points = part->series.points;
  if (points.values.empty()) return;
  const auto all = [](const std::vector<bool>& flags, bool is) {
    return std::all_of(flags.begin(), flags.end(),
                       [is](bool flag) { return flag == is; });
  };
  if (all(points.has_step, true)) points.has_step.clear();
  if (all(points.time_stamped, false)) points.time_stamped.clear();
  parts->push_back(std::move(*part));
  points = Points();
}

}  // namespace

uint64_t LaneReader::EndOf(const UnreadLane& lane) {
  if (lane.heads.empty()) return lane.end_row;
  uint64_t end = lane.heads.front().first_row;
  for (const HeadPart& head : lane.heads) {
    if (head.first_row > end) break;
    end = head.end_row;
  }
  return end;
}

absl::Status LaneReader::Read(const UnreadLane& lane, uint64_t first_row,
                              uint64_t end_row,
                              const std::vector<uint32_t>& columns,
                              std::vector<TailPart>* parts) {
  Open open(columns.size());
  const uint64_t heads_begin =
      lane.heads.empty() ? lane.end_row : lane.heads.front().first_row;
  if (first_row < heads_begin) {
    if (absl::Status s =
            ReadSealed(lane, first_row, std::min(end_row, heads_begin), columns,
                       &open, parts);
        !s.ok()) {
      return s;
    }
  }
  for (const HeadPart& head : lane.heads) {
    const uint64_t first = std::max(first_row, head.first_row);
    const uint64_t end = std::min(end_row, head.end_row);
    if (first >= end) continue;
    if (absl::Status s =
            ReadHead(lane, head, first, end, columns, &open, parts);
        !s.ok()) {
      return s;
    }
  }
  for (TailPart& part : open) CloseInto(&part, parts);
  return absl::OkStatus();
}

absl::StatusOr<const std::vector<SealedRows>*> LaneReader::FindSealed(
    const UnreadLane& lane, uint64_t first_row) {
  const auto& generations = unread_.generations;
  while (true) {
    if (sealed_ == nullptr) {
      generations_read_ = std::clamp<size_t>(
          2 * generations_read_, 1, std::max<size_t>(1, generations.size()));
      const size_t skipped =
          generations.size() - std::min(generations_read_, generations.size());
      sealed_ = std::make_unique<SealedReader>(
          database_, run_.id,
          std::vector<std::shared_ptr<const Generation>>(
              generations.begin() + skipped, generations.end()));
    }
    absl::StatusOr<const std::vector<SealedRows>*> all =
        sealed_->Rows(lane.schema);
    if (!all.ok()) return all.status();
    for (const SealedRows& rows : **all) {
      for (const Strip& strip : rows.axis.strips()) {
        if (strip.worker == lane.worker && strip.first_row <= first_row) {
          return *all;
        }
      }
    }
    if (generations_read_ >= generations.size()) return *all;
    sealed_ = nullptr;
  }
}

absl::Status LaneReader::ReadSealed(const UnreadLane& lane, uint64_t first_row,
                                    uint64_t end_row,
                                    const std::vector<uint32_t>& columns,
                                    Open* open, std::vector<TailPart>* parts) {
  absl::StatusOr<const std::vector<SealedRows>*> all =
      FindSealed(lane, first_row);
  if (!all.ok()) return all.status();
  struct Found {
    const SealedRows* rows;
    uint32_t strip;
    uint64_t first_row;
  };
  std::vector<Found> found;
  for (const SealedRows& rows : **all) {
    const std::vector<Strip>& strips = rows.axis.strips();
    for (uint32_t i = 0; i < strips.size(); ++i) {
      if (strips[i].worker == lane.worker && strips[i].first_row < end_row &&
          strips[i].first_row + strips[i].rows > first_row) {
        found.push_back({&rows, i, strips[i].first_row});
      }
    }
  }
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
    return a.first_row < b.first_row;
  });
  uint64_t next_row = first_row;
  for (const Found& f : found) {
    const Strip& strip = f.rows->axis.strips()[f.strip];
    if (strip.first_row > next_row) break;
    if (strip.has_step) {
      if (absl::Status s = f.rows->axis.ReadSteps(f.strip, &columns_.steps);
          !s.ok()) {
        return s;
      }
    }
    if (absl::Status s = sealed_->ReadTimes(lane.schema, *f.rows, f.strip,
                                            &columns_.times_ns);
        !s.ok()) {
      return s;
    }
    columns_.metrics.resize(columns.size());
    for (size_t i = 0; i < columns.size(); ++i) {
      const SealedReader::Place place{lane.schema, f.rows, columns[i]};
      absl::StatusOr<const Block*> block = sealed_->ReadBlock(place);
      if (!block.ok()) return block.status();
      if (absl::Status s = (*block)->Read(place.metric(), f.strip, strip.rows,
                                          &columns_.metrics[i]);
          !s.ok()) {
        return s;
      }
    }
    const uint64_t end = std::min(end_row, strip.first_row + strip.rows);
    Append(lane,
           {.strip = strip,
            .begin = static_cast<uint32_t>(next_row - strip.first_row),
            .end = static_cast<uint32_t>(end - strip.first_row)},
           columns, open, parts);
    next_row = end;
  }
  if (next_row == end_row) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("row ", next_row, " of worker ", lane.worker.value,
                   " and schema ", lane.schema.value, " of run ",
                   run_.uuid.ToHex(), " is in no generation"));
}

absl::Status LaneReader::ReadHead(const UnreadLane& lane, const HeadPart& head,
                                  uint64_t first_row, uint64_t end_row,
                                  const std::vector<uint32_t>& columns,
                                  Open* open, std::vector<TailPart>* parts) {
  StripReader reader(
      static_cast<uint32_t>(run_.schemas[lane.schema.value]->metrics.size()),
      columns);
  std::vector<StripPlan> plans;
  PlanStrips(lane.worker, head.first_row, head.batches,
             StripGrid(kMaxStripRows), &plans);
  for (const StripPlan& plan : plans) {
    const uint64_t first = std::max(first_row, plan.strip.first_row);
    const uint64_t end =
        std::min(end_row, plan.strip.first_row + plan.strip.rows);
    if (first >= end) continue;
    if (absl::Status s = reader.Read(plan, head.batches, &columns_); !s.ok()) {
      return s;
    }
    Append(lane,
           {.strip = plan.strip,
            .begin = static_cast<uint32_t>(first - plan.strip.first_row),
            .end = static_cast<uint32_t>(end - plan.strip.first_row)},
           columns, open, parts);
  }
  return absl::OkStatus();
}

void LaneReader::Append(const UnreadLane& lane, const StripRows& rows,
                        const std::vector<uint32_t>& columns, Open* open,
                        std::vector<TailPart>* parts) {
  const Strip& strip = rows.strip;
  const std::optional<int64_t> hidden_from =
      strip.has_step ? run_.HiddenFrom(strip.attempt) : std::nullopt;
  for (size_t i = 0; i < columns.size(); ++i) {
    const ChunkValues& chunk = columns_.metrics[i];
    if (chunk.values.empty()) continue;
    rows_.clear();
    chunk.AppendRows(&rows_);
    TailPart& part = (*open)[i];
    if (part.attempt != strip.attempt) CloseInto(&part, parts);
    if (part.series.points.values.empty()) {
      part.attempt = strip.attempt;
      part.series.run = run_.uuid;
      part.series.metric = run_.schemas[lane.schema.value]->names[columns[i]];
      part.series.worker = run_.workers[lane.worker.value];
    }
    Points& points = part.series.points;
    for (size_t v = 0; v < rows_.size(); ++v) {
      const uint32_t row = rows_[v];
      if (row < rows.begin || row >= rows.end) continue;
      const int64_t step = strip.has_step ? columns_.steps[row] : 0;
      if (hidden_from.has_value() && step >= *hidden_from) continue;
      points.steps.push_back(step);
      points.times_ns.push_back(columns_.times_ns[row]);
      points.values.push_back(chunk.values[v]);
      points.has_step.push_back(strip.has_step);
      points.time_stamped.push_back(strip.time_stamped);
    }
  }
}

}  // namespace waterflow::storage
