#include "storage/relay/relay_window.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/model/limits.h"

namespace waterflow::storage {
namespace {

// A batch of so many rows that no server takes: its column lies beyond every
// schema. It has no values, so it is short.
std::string RefusedBatch(uint32_t schema, uint64_t first_row, uint32_t rows) {
  return BatchBuilder(schema, first_row, rows)
      .Column(kMaxSchemaMetrics, 1, ValueType::kFloat64, "")
      .Build();
}

BatchRows ToRows(const RelayPiece& piece) {
  BatchRows rows{.body = piece.body,
                 .view = {},
                 .from = piece.from,
                 .to = piece.to,
                 .received_ns = piece.received_ns};
  if (!piece.refused()) {
    ParseBatch(piece.body, &rows.view).IgnoreError();  // it was parsed before
    rows.view.frames = {};
  }
  rows.view.first_row = piece.batch_first_row;
  rows.view.rows = piece.batch_rows;
  return rows;
}

// How many of the piece's rows make about so many bytes.
uint32_t RowsOf(const BatchRows& rows, uint64_t bytes) {
  const uint64_t all = std::max<uint64_t>(rows.bytes(), 1);
  return static_cast<uint32_t>(
      std::clamp<uint64_t>(rows.rows() * bytes / all, 1, rows.rows()));
}

}  // namespace

absl::StatusOr<bool> RelayWindow::Add(uint64_t position, std::string entry) {
  absl::string_view rest = entry;
  absl::StatusOr<RelayRecord> first = TakeRelayRecord(&rest);
  if (!first.ok()) return first.status();
  const Kind kind =
      std::holds_alternative<RelayOpening>(*first)      ? Kind::kOpening
      : std::holds_alternative<RelayLostRecord>(*first) ? Kind::kLost
                                                        : Kind::kRows;
  if (!empty() && (kind_ != Kind::kRows || kind != Kind::kRows)) return false;
  kind_ = kind;
  positions_.push_back(position);
  bytes_ += RelayEntryBytes(entry.size());
  rest = entries_.emplace_back(std::move(entry));
  while (!rest.empty()) {
    const absl::StatusOr<RelayRecord> record = TakeRelayRecord(&rest);
    if (!record.ok()) return record.status();
    if (absl::Status s = AddRecord(*record); !s.ok()) return s;
  }
  return true;
}

absl::Status RelayWindow::AddRecord(const RelayRecord& record) {
  if (const auto* batch = std::get_if<RelayBatchRecord>(&record)) {
    if (absl::Status s = ParseBatch(batch->body, &view_); !s.ok()) {
      return absl::DataLossError(s.message());
    }
    if (view_.rows != batch->rows || view_.first_row != batch->first_row ||
        batch->skip >= batch->rows) {
      return absl::DataLossError(absl::StrCat(
          "a record of ", batch->rows, " rows from ", batch->first_row, ", ",
          batch->skip, " of them known before, has a batch of ", view_.rows,
          " from ", view_.first_row));
    }
    const RelayPiece& piece = lanes_[batch->schema].emplace_back(
        RelayPiece{.body = batch->body,
                   .batch_first_row = batch->first_row,
                   .batch_rows = batch->rows,
                   .from = batch->skip,
                   .to = batch->rows,
                   .received_ns = batch->received_ns});
    ends_[batch->schema] = piece.end_row();
    rows_ += piece.to - piece.from;
  } else if (const auto* refused = std::get_if<RelayRefusedRecord>(&record)) {
    if (refused->rows == 0 || refused->rows > kMaxBatchRows) {
      return absl::DataLossError(
          absl::StrCat("a refused batch of ", refused->rows, " rows"));
    }
    const auto rows = static_cast<uint32_t>(refused->rows);
    const RelayPiece& piece = lanes_[refused->schema].emplace_back(
        RelayPiece{.body = {},
                   .batch_first_row = refused->first_row,
                   .batch_rows = rows,
                   .from = 0,
                   .to = rows,
                   .received_ns = 0});
    ends_[refused->schema] = piece.end_row();
  } else if (const auto* lost = std::get_if<RelayLostRecord>(&record)) {
    ends_[lost->schema] = lost->first_row + lost->rows;
  } else {
    opening_ = std::get<RelayOpening>(record);
  }
  return absl::OkStatus();
}

RelayMessages::RelayMessages(const RelayWindow& window) {
  for (const auto& [schema, pieces] : window.lanes()) {
    lanes_[schema].assign(pieces.begin(), pieces.end());
  }
}

void RelayMessages::SkipBelow(uint32_t schema, uint64_t next_row) {
  const auto lane = lanes_.find(schema);
  if (lane == lanes_.end()) return;
  std::deque<RelayPiece>& pieces = lane->second;
  while (!pieces.empty() && pieces.front().end_row() <= next_row) {
    pieces.pop_front();
  }
  if (pieces.empty()) {
    lanes_.erase(lane);
    return;
  }
  RelayPiece& piece = pieces.front();
  if (piece.first_row() < next_row) {
    piece.from += static_cast<uint32_t>(next_row - piece.first_row());
  }
}

std::optional<uint32_t> RelayMessages::NextSchema() const {
  if (lanes_.empty()) return std::nullopt;
  return lanes_.begin()->first;
}

std::optional<RelayMessage> RelayMessages::Next(
    const RelayMessageLimits& limits) {
  if (lanes_.empty()) return std::nullopt;
  const auto lane = lanes_.begin();
  std::deque<RelayPiece>& pieces = lane->second;
  RelayMessage message{.schema = lane->first,
                       .first_row = pieces.front().first_row(),
                       .end_row = 0,
                       .refused = pieces.front().refused(),
                       .batch = {}};
  std::vector<BatchRows> parts;
  uint64_t bytes = 0;
  uint32_t rows = 0;
  for (const RelayPiece& piece : pieces) {
    BatchRows part = ToRows(piece);
    const bool fits = parts.empty() || (piece.refused() == message.refused &&
                                        bytes + part.bytes() <= limits.bytes &&
                                        rows + part.rows() <= limits.rows &&
                                        CanJoin(parts.back(), part));
    if (!fits) break;
    const uint32_t most = std::min(RowsOf(part, limits.bytes), limits.rows);
    const bool cut = part.rows() > most;
    if (cut) part.to = part.from + most;
    bytes += part.bytes();
    rows += part.rows();
    parts.push_back(std::move(part));
    if (cut) break;
  }
  if (message.refused) {
    message.batch = RefusedBatch(message.schema, message.first_row, rows);
  } else {
    message.batch = JoinBatches(parts);
    // What a row takes was a guess.
    while (message.batch.size() > limits.most_bytes && rows > 1) {
      parts.resize(1);
      rows = (std::min(rows, parts[0].rows()) + 1) / 2;
      parts[0].to = parts[0].from + rows;
      message.batch = JoinBatches(parts);
    }
  }
  message.end_row = parts.back().end_row();
  SkipBelow(message.schema, message.end_row);
  return message;
}

}  // namespace waterflow::storage
