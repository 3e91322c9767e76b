#include "storage/format/log_record.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "storage/format/bytes.h"
#include "storage/model/limits.h"

namespace waterflow::storage {
namespace {

enum RecordKind : uint8_t {
  kBatch = 1,
  kVoid = 2,
  kCatalog = 3,
  kErase = 4,
  kDelete = 5,
};

// The payload in front of the bytes that close a record.
struct PayloadWriter {
  std::string* out;

  absl::string_view operator()(const BatchRecord& r) const {
    out->push_back(kBatch);
    AppendLane(r.lane, r.schema);
    AppendVarint(r.attempt, out);
    AppendVarint(r.first_row, out);
    AppendVarint(r.rows, out);
    AppendVarint(r.skip, out);
    AppendFixed(r.received_ns, out);
    return r.body;
  }
  absl::string_view operator()(const VoidRecord& r) const {
    out->push_back(kVoid);
    AppendLane(r.lane, r.schema);
    AppendVarint(r.first_row, out);
    AppendVarint(r.rows, out);
    return {};
  }
  absl::string_view operator()(const CatalogRecord& r) const {
    out->push_back(kCatalog);
    AppendString(r.key, out);
    return r.value;
  }
  absl::string_view operator()(const EraseRecord& r) const {
    out->push_back(kErase);
    return r.key;
  }
  absl::string_view operator()(const DeleteRecord& r) const {
    out->push_back(kDelete);
    AppendVarint(r.run.value, out);
    return {};
  }

  void AppendLane(const LaneName& lane, SchemaId schema) const {
    AppendVarint(lane.run.value, out);
    AppendVarint(lane.worker.value, out);
    AppendVarint(schema.value, out);
    AppendVarint(lane.number, out);
    absl::StrAppend(out, lane.stream.raw());
  }
};

void ReadLane(ByteReader* in, LaneName* lane, SchemaId* schema) {
  lane->run.value = in->Varint32();
  lane->worker.value = in->Varint32();
  schema->value = in->Varint32();
  lane->number = in->Varint32();
  const absl::string_view stream = in->Bytes(lane->stream.bytes.size());
  std::copy(stream.begin(), stream.end(), lane->stream.bytes.begin());
}

// The record's length stands in front of it and is known only behind: a varint
// of fixed width (padded with continuation bits) is filled in at the end.
constexpr size_t kLengthBytes = 4;
static_assert(kMaxMessageBytes + 4096 < 1u << (7 * kLengthBytes));

void FillLength(size_t length, char* at) {
  for (size_t i = 0; i < kLengthBytes; ++i) {
    const bool more = i + 1 < kLengthBytes;
    at[i] = static_cast<char>((length & 0x7f) | (more ? 0x80 : 0));
    length >>= 7;
  }
}

void Append(const LogRecord& record, bool head_only, std::string* out) {
  const size_t begin = out->size();
  out->append(kLengthBytes, '\0');
  const absl::string_view tail = std::visit(PayloadWriter{out}, record);
  const size_t payload = out->size() - begin - kLengthBytes + tail.size();
  FillLength(payload, out->data() + begin);
  if (!head_only) absl::StrAppend(out, tail);
}

}  // namespace

void AppendRecordHead(const LogRecord& record, std::string* out) {
  Append(record, /*head_only=*/true, out);
}

void AppendRecord(const LogRecord& record, std::string* out) {
  Append(record, /*head_only=*/false, out);
}

absl::StatusOr<LogRecord> TakeRecord(absl::string_view* group) {
  ByteReader outer(*group);
  ByteReader in(outer.String());
  const uint8_t kind = in.Fixed<uint8_t>();
  if (!outer.ok() || !in.ok()) {
    return absl::DataLossError("log record: truncated");
  }
  LogRecord record;
  switch (kind) {
    case kBatch: {
      BatchRecord r;
      ReadLane(&in, &r.lane, &r.schema);
      r.attempt = in.Varint32();
      r.first_row = in.Varint();
      r.rows = in.Varint32();
      r.skip = in.Varint32();
      r.received_ns = in.Fixed<int64_t>();
      r.body = in.rest();
      if (r.skip > r.rows) in.Bytes(UINT64_MAX);
      record = r;
      break;
    }
    case kVoid: {
      VoidRecord r;
      ReadLane(&in, &r.lane, &r.schema);
      r.first_row = in.Varint();
      r.rows = in.Varint();
      record = r;
      break;
    }
    case kCatalog: {
      const absl::string_view key = in.String();
      record = CatalogRecord{key, in.rest()};
      break;
    }
    case kErase:
      record = EraseRecord{in.rest()};
      break;
    case kDelete:
      record = DeleteRecord{RunId{in.Varint32()}};
      break;
    default:
      return absl::DataLossError(
          absl::StrCat("log record: unknown kind ", kind));
  }
  if (!in.ok()) {
    return absl::DataLossError(
        absl::StrCat("log record of kind ", kind, ": malformed"));
  }
  *group = outer.rest();
  return record;
}

}  // namespace waterflow::storage
