#include "client/cpp/row_buffer.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/cpp/batch_encoder.h"

namespace waterflow::client {
RowBuffer::RowBuffer(RowBufferOptions options, std::function<void()> wake)
    : options_(std::move(options)), wake_(std::move(wake)) {}

absl::StatusOr<uint32_t> RowBuffer::Declare(std::vector<v1::Metric> metrics) {
  if (metrics.empty()) {
    return absl::InvalidArgumentError("a schema needs at least one metric");
  }
  absl::flat_hash_set<absl::string_view> names;
  for (const v1::Metric& metric : metrics) {
    if (metric.name().empty()) {
      return absl::InvalidArgumentError("a metric has an empty name");
    }
    if (!names.insert(metric.name()).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("metric \"", metric.name(), "\" is named twice"));
    }
  }
  std::lock_guard<std::mutex> lock(mu_);
  const auto schema = static_cast<uint32_t>(lanes_.size());
  lanes_.push_back(std::make_unique<Lane>(schema, std::move(metrics)));
  if (auto known = known_.find(schema); known != known_.end()) {
    lanes_.back()->Acked(known->second);
  }
  return schema;
}

absl::Status RowBuffer::Check(uint32_t schema, const Row& row) const {
  if (!failure_.ok()) return failure_;
  if (schema >= lanes_.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("schema ", schema, " was never declared"));
  }
  const Lane& lane = *lanes_[schema];
  if (lane.dead()) return lane.status();
  const size_t metrics = lane.metrics().size();
  if (row.values.size() != metrics ||
      (!row.present.empty() && row.present.size() != metrics)) {
    return absl::InvalidArgumentError(
        absl::StrCat("a row of schema ", schema, " has ", row.values.size(),
                     " values and ", row.present.size(),
                     " presence flags, the schema has ", metrics, " metrics"));
  }
  return absl::OkStatus();
}

absl::Status RowBuffer::Append(uint32_t schema, const Row& row,
                               absl::Duration patience) {
  std::unique_lock<std::mutex> lock(mu_);
  if (absl::Status status = Check(schema, row); !status.ok()) return status;
  const size_t need =
      RowBlock::RowBytes(row.values.size()) + row.present.size();
  const auto has_room = [&] {
    return bytes_ + need <= options_.capacity_bytes || !failure_.ok();
  };
  if (!has_room()) {
    if (patience <= absl::ZeroDuration() ||
        !changed_.wait_for(lock, ToChrono(patience), has_room)) {
      ++rows_refused_;
      return absl::ResourceExhaustedError(
          absl::StrCat("the buffer is full: ", bytes_, " of ",
                       options_.capacity_bytes, " bytes wait for the server"));
    }
    // The lane may have died meanwhile.
    if (absl::Status status = Check(schema, row); !status.ok()) return status;
  }
  Lane& lane = *lanes_[schema];
  const size_t block_rows = std::clamp<size_t>(
      options_.batch_bytes / RowBlock::RowBytes(row.values.size()), 1,
      options_.batch_rows);
  const size_t before = lane.bytes();
  const bool look = lane.Append(row, block_rows, Clock::now());
  bytes_ += lane.bytes() - before;
  lock.unlock();
  if (look) wake_();
  return absl::OkStatus();
}

bool RowBuffer::Drained(const std::vector<uint64_t>& targets) const {
  for (size_t i = 0; i < targets.size(); ++i) {
    if (!lanes_[i]->drained_to(targets[i])) return false;
  }
  return true;
}

absl::Status RowBuffer::WaitDrained(absl::Duration timeout) {
  std::unique_lock<std::mutex> lock(mu_);
  std::vector<uint64_t> targets;
  for (const auto& lane : lanes_) {
    lane->Flush();
    targets.push_back(lane->end());
  }
  wake_();
  changed_.wait_for(lock, ToChrono(timeout),
                    [&] { return !failure_.ok() || Drained(targets); });
  if (Drained(targets)) return absl::OkStatus();
  if (!failure_.ok()) return failure_;
  return absl::DeadlineExceededError(
      absl::StrCat(bytes_, " bytes of rows were not acked within ",
                   absl::FormatDuration(timeout)));
}

BufferCounts RowBuffer::counts() const {
  std::lock_guard<std::mutex> lock(mu_);
  BufferCounts sum;
  for (const auto& lane : lanes_) {
    const LaneCounts& c = lane->counts();
    sum.rows_appended += c.rows_appended;
    sum.values_appended += c.values_appended;
    sum.rows_acked += c.rows_acked;
    sum.values_acked += c.values_acked;
    sum.rows_already_there += c.rows_already_there;
    sum.rows_rejected += c.rows_rejected;
  }
  sum.rows_refused = rows_refused_;
  sum.buffered_bytes = bytes_;
  return sum;
}

std::vector<v1::Lane> RowBuffer::Held() const {
  std::lock_guard<std::mutex> lock(mu_);
  std::vector<v1::Lane> held;
  for (const auto& lane : lanes_) {
    if (lane->acked() == 0 || lane->dead()) continue;
    held.emplace_back();
    held.back().set_schema_id(lane->schema());
    held.back().set_next_row(std::min(lane->acked(), lane->end()));
  }
  return held;
}

void RowBuffer::Opened(const std::vector<v1::Lane>& lanes) {
  std::lock_guard<std::mutex> lock(mu_);
  for (const v1::Lane& known : lanes) {
    known_[known.schema_id()] = known.next_row();
    if (Lane* lane = Find(known.schema_id()); lane != nullptr) {
      const size_t before = lane->bytes();
      lane->Acked(known.next_row());
      Release(*lane, before);
    }
  }
  for (const auto& lane : lanes_) lane->Rewind();
}

std::optional<Piece> RowBuffer::Take(size_t max_rows, size_t max_bytes,
                                     bool at_least_one, Clock::time_point now,
                                     Clock::time_point* next_due) {
  const Clock::duration max_age = ToChrono(options_.max_age);
  std::lock_guard<std::mutex> lock(mu_);
  for (size_t i = 0; i < lanes_.size(); ++i) {
    const size_t at = (next_lane_ + i) % lanes_.size();
    Lane& lane = *lanes_[at];
    const auto due = lane.Due(max_age);
    if (!due.has_value()) continue;
    if (*due > now) {
      *next_due = std::min(*next_due, *due);
      continue;
    }
    const size_t rows =
        std::min(max_rows, RowsWithin(max_bytes, lane.metrics().size()));
    if (rows == 0 && !at_least_one) continue;
    next_lane_ = at + 1;
    return lane.Take(std::max<size_t>(rows, 1));
  }
  return std::nullopt;
}

std::vector<v1::Metric> RowBuffer::Metrics(uint32_t schema) const {
  std::lock_guard<std::mutex> lock(mu_);
  return lanes_[schema]->metrics();
}

uint64_t RowBuffer::Acked(uint32_t schema, uint64_t next_row) {
  std::lock_guard<std::mutex> lock(mu_);
  Lane* lane = Find(schema);
  if (lane == nullptr) return next_row;
  const size_t before = lane->bytes();
  lane->Acked(next_row);
  Release(*lane, before);
  return lane->acked();
}

uint64_t RowBuffer::Rejected(uint32_t schema, uint64_t first_row,
                             uint64_t rows) {
  std::lock_guard<std::mutex> lock(mu_);
  Lane* lane = Find(schema);
  if (lane == nullptr) return 0;
  const size_t before = lane->bytes();
  lane->Rejected(first_row, rows);
  Release(*lane, before);
  return lane->acked();
}

void RowBuffer::RejectedLane(uint32_t schema, absl::Status status) {
  std::lock_guard<std::mutex> lock(mu_);
  Lane* lane = Find(schema);
  if (lane == nullptr || lane->dead()) return;
  const size_t before = lane->bytes();
  lane->Die(std::move(status));
  Release(*lane, before);
}

void RowBuffer::Fail(absl::Status status) {
  std::lock_guard<std::mutex> lock(mu_);
  if (failure_.ok()) failure_ = std::move(status);
  changed_.notify_all();
}

Lane* RowBuffer::Find(uint32_t schema) {
  return schema < lanes_.size() ? lanes_[schema].get() : nullptr;
}

void RowBuffer::Release(const Lane& lane, size_t bytes_before) {
  bytes_ -= bytes_before - lane.bytes();
  changed_.notify_all();
}

}  // namespace waterflow::client
