#include "storage/relay/relay_record.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/format/bytes.h"
#include "storage/model/limits.h"

namespace waterflow::storage {
namespace {

enum RecordKind : uint8_t { kBatch = 1, kRefused = 2, kLost = 3, kOpening = 4 };

constexpr uint8_t kHasResumeStep = 1;
constexpr uint8_t kAnnounced = 1;

absl::Status Malformed(absl::string_view what) {
  return absl::DataLossError(absl::StrCat(what, " is malformed"));
}

void AppendOpening(const RelayOpening& opening, std::string* out) {
  AppendVarint(opening.attempt, out);
  out->push_back(opening.resume_step.has_value() ? kHasResumeStep : 0);
  if (opening.resume_step.has_value()) {
    AppendVarint(ZigZag(*opening.resume_step), out);
  }
  AppendVarint(opening.world_size, out);
  AppendVarint(ZigZag(opening.client_time_ns), out);
  AppendVarint(ZigZag(opening.received_ns), out);
}

RelayOpening TakeOpening(ByteReader* reader) {
  RelayOpening opening;
  opening.attempt = reader->Varint32();
  if (reader->Fixed<uint8_t>() & kHasResumeStep) {
    opening.resume_step = reader->SignedVarint();
  }
  opening.world_size = reader->Varint32();
  opening.client_time_ns = reader->SignedVarint();
  opening.received_ns = reader->SignedVarint();
  return opening;
}

void AppendRange(RecordKind kind, uint32_t schema, uint64_t first_row,
                 uint64_t rows, std::string* out) {
  out->push_back(static_cast<char>(kind));
  AppendVarint(schema, out);
  AppendVarint(first_row, out);
  AppendVarint(rows, out);
}

struct RecordWriter {
  std::string* out;

  void operator()(const RelayBatchRecord& record) const {
    AppendRange(kBatch, record.schema, record.first_row, record.rows, out);
    AppendVarint(record.skip, out);
    AppendVarint(ZigZag(record.received_ns), out);
    AppendString(record.body, out);
  }
  void operator()(const RelayRefusedRecord& record) const {
    AppendRange(kRefused, record.schema, record.first_row, record.rows, out);
  }
  void operator()(const RelayLostRecord& record) const {
    AppendRange(kLost, record.schema, record.first_row, record.rows, out);
  }
  void operator()(const RelayOpening& opening) const {
    out->push_back(static_cast<char>(kOpening));
    AppendOpening(opening, out);
  }
};

template <typename Record>
Record TakeRange(ByteReader* reader) {
  Record record;
  record.schema = reader->Varint32();
  record.first_row = reader->Varint();
  record.rows = reader->Varint();
  return record;
}

}  // namespace

std::string RelayCatalogKey(RelayKey kind, uint32_t stream) {
  std::string key(1, static_cast<char>(kind));
  AppendBigEndian(stream, &key);
  return key;
}

std::string RelayCatalogKey(RelayKey kind, uint32_t stream, uint32_t schema) {
  std::string key = RelayCatalogKey(kind, stream);
  AppendBigEndian(schema, &key);
  return key;
}

std::string RelayLogKey(uint32_t stream, uint64_t position) {
  std::string key;
  AppendBigEndian(stream, &key);
  AppendBigEndian(position, &key);
  return key;
}

std::string EncodeRelayIdentity(const RelayIdentity& identity) {
  std::string bytes(identity.run.raw());
  absl::StrAppend(&bytes, identity.stream.raw());
  AppendString(identity.worker.role, &bytes);
  AppendVarint(identity.worker.rank, &bytes);
  return bytes;
}

absl::StatusOr<RelayIdentity> DecodeRelayIdentity(absl::string_view bytes) {
  ByteReader reader(bytes);
  const auto run = Uuid::FromBytes(reader.Bytes(16));
  const auto stream = Uuid::FromBytes(reader.Bytes(16));
  RelayIdentity identity;
  identity.worker.role = std::string(reader.String());
  identity.worker.rank = reader.Varint32();
  if (!reader.done() || !run.ok() || !stream.ok()) return Malformed("a stream");
  identity.run = *run;
  identity.stream = *stream;
  return identity;
}

std::string EncodeRelayMark(const RelayMark& mark) {
  std::string bytes;
  AppendVarint(mark.position, &bytes);
  AppendVarint(mark.bytes, &bytes);
  AppendVarint(mark.rows, &bytes);
  bytes.push_back(mark.announced ? kAnnounced : 0);
  AppendOpening(mark.opening, &bytes);
  return bytes;
}

absl::StatusOr<RelayMark> DecodeRelayMark(absl::string_view bytes) {
  ByteReader reader(bytes);
  RelayMark mark;
  mark.position = reader.Varint();
  mark.bytes = reader.Varint();
  mark.rows = reader.Varint();
  mark.announced = (reader.Fixed<uint8_t>() & kAnnounced) != 0;
  mark.opening = TakeOpening(&reader);
  if (!reader.done()) return Malformed("a mark");
  return mark;
}

std::string EncodeRelayMetrics(const std::vector<Metric>& metrics) {
  std::string bytes;
  AppendVarint(metrics.size(), &bytes);
  for (const Metric& metric : metrics) {
    AppendString(metric.name, &bytes);
    AppendString(metric.unit, &bytes);
    AppendString(metric.description, &bytes);
    bytes.push_back(static_cast<char>(metric.goal));
    bytes.push_back(static_cast<char>(metric.reduction));
    AppendString(metric.role, &bytes);
    AppendString(metric.step_metric, &bytes);
  }
  return bytes;
}

absl::StatusOr<std::vector<Metric>> DecodeRelayMetrics(
    absl::string_view bytes) {
  ByteReader reader(bytes);
  const uint64_t count = reader.Varint();
  if (count > kMaxSchemaMetrics) return Malformed("a schema");
  std::vector<Metric> metrics(count);
  for (Metric& metric : metrics) {
    metric.name = std::string(reader.String());
    metric.unit = std::string(reader.String());
    metric.description = std::string(reader.String());
    metric.goal = static_cast<Goal>(reader.Fixed<uint8_t>());
    metric.reduction = static_cast<Reduction>(reader.Fixed<uint8_t>());
    metric.role = std::string(reader.String());
    metric.step_metric = std::string(reader.String());
  }
  if (!reader.done()) return Malformed("a schema");
  return metrics;
}

std::string EncodeRelayRow(uint64_t row) {
  std::string bytes;
  AppendVarint(row, &bytes);
  return bytes;
}

absl::StatusOr<uint64_t> DecodeRelayRow(absl::string_view bytes) {
  ByteReader reader(bytes);
  const uint64_t row = reader.Varint();
  if (!reader.done()) return Malformed("a row number");
  return row;
}

void AppendRelayRecord(const RelayRecord& record, std::string* entry) {
  std::visit(RecordWriter{entry}, record);
}

absl::StatusOr<RelayRecord> TakeRelayRecord(absl::string_view* entry) {
  ByteReader reader(*entry);
  RelayRecord record;
  switch (reader.Fixed<uint8_t>()) {
    case kBatch: {
      RelayBatchRecord batch;
      batch.schema = reader.Varint32();
      batch.first_row = reader.Varint();
      batch.rows = reader.Varint32();
      batch.skip = reader.Varint32();
      batch.received_ns = reader.SignedVarint();
      batch.body = reader.String();
      record = batch;
      break;
    }
    case kRefused:
      record = TakeRange<RelayRefusedRecord>(&reader);
      break;
    case kLost:
      record = TakeRange<RelayLostRecord>(&reader);
      break;
    case kOpening:
      record = TakeOpening(&reader);
      break;
    default:
      return Malformed("a record");
  }
  if (!reader.ok()) return Malformed("a record");
  *entry = reader.rest();
  return record;
}

}  // namespace waterflow::storage
