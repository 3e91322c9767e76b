#include "storage/format/catalog_record.h"

#include "storage/format/bytes.h"

namespace waterflow::storage {
namespace {

// One list of fields per value serves both directions: Walk(io, value) hands
// every field to an Encoder or to a Decoder.
class Encoder {
 public:
  void Unsigned(uint64_t value) { AppendVarint(value, &out_); }
  void Signed(int64_t value) { AppendVarint(ZigZag(value), &out_); }
  void Text(const std::string& text) { AppendString(text, &out_); }
  void Raw(const Uuid& id) { out_.append(id.raw().data(), id.raw().size()); }
  template <typename E>
  void Byte(E value) {
    out_.push_back(static_cast<char>(value));
  }
  void Map(const Tags& tags) {
    Unsigned(tags.size());
    for (const auto& [key, value] : tags) {
      Text(key);
      Text(value);
    }
  }
  void Metrics(const std::vector<MetricId>& metrics) {
    Unsigned(metrics.size());
    for (const MetricId id : metrics) Unsigned(id.value);
  }
  // At the end of a value, up to the last that is not 0: they were added later.
  template <typename... Rest>
  void Trailing(const auto& value, const Rest&... rest) {
    if (value == 0 && (... && (rest == 0))) return;
    Number(value);
    if constexpr (sizeof...(rest) > 0) Trailing(rest...);
  }
  // Likewise, and only of a fork.
  void Trailing(const std::optional<ForkValue>& fork) {
    if (!fork.has_value()) return;
    Unsigned(fork->parent.value);
    Unsigned(fork->attempt);
    Signed(fork->step);
  }
  void Optional(const std::optional<int64_t>& value) {
    Byte(value.has_value());
    Signed(value.value_or(0));
  }
  std::string Take() { return std::move(out_); }

 private:
  void Number(int64_t value) { Signed(value); }
  void Number(uint32_t value) { Unsigned(value); }
  void Number(uint64_t value) { Unsigned(value); }

  std::string out_;
};

class Decoder {
 public:
  explicit Decoder(absl::string_view bytes) : in_(bytes) {}
  void Unsigned(uint64_t& value) { value = in_.Varint(); }
  void Unsigned(uint32_t& value) { value = in_.Varint32(); }
  void Signed(int64_t& value) { value = in_.SignedVarint(); }
  void Text(std::string& text) { text = std::string(in_.String()); }
  void Raw(Uuid& id) {
    const absl::string_view raw = in_.Bytes(id.bytes.size());
    std::copy(raw.begin(), raw.end(), id.bytes.begin());
  }
  template <typename E>
  void Byte(E& value) {
    value = static_cast<E>(in_.Fixed<uint8_t>());
  }
  void Map(Tags& tags) {
    tags.clear();
    for (uint64_t n = in_.Varint(); n > 0 && in_.ok(); --n) {
      std::string key(in_.String());
      tags.emplace_hint(tags.end(), std::move(key), std::string(in_.String()));
    }
  }
  void Metrics(std::vector<MetricId>& metrics) {
    metrics.clear();
    for (uint64_t n = in_.Varint(); n > 0 && in_.ok(); --n) {
      metrics.push_back(MetricId{in_.Varint32()});
    }
  }
  template <typename... Rest>
  void Trailing(auto& value, Rest&... rest) {
    value = 0;
    if (!in_.rest().empty()) Number(value);
    if constexpr (sizeof...(rest) > 0) Trailing(rest...);
  }
  void Trailing(std::optional<ForkValue>& fork) {
    fork.reset();
    if (in_.rest().empty()) return;
    Unsigned(fork.emplace().parent.value);
    Unsigned(fork->attempt);
    Signed(fork->step);
  }
  void Optional(std::optional<int64_t>& value) {
    const bool has = in_.Fixed<uint8_t>() != 0;
    const int64_t number = in_.SignedVarint();
    value = has ? std::optional<int64_t>(number) : std::nullopt;
  }
  bool done() const { return in_.done(); }

 private:
  void Number(int64_t& value) { Signed(value); }
  void Number(uint32_t& value) { Unsigned(value); }
  void Number(uint64_t& value) { Unsigned(value); }

  ByteReader in_;
};

void Walk(auto& io, auto& v, const ProjectValue*) {
  io.Text(v.name);
  io.Signed(v.created_ns);
  io.Signed(v.updated_ns);
  io.Map(v.tags);
  io.Trailing(v.retention_age_ns, v.max_rows_per_second, v.max_disk_bytes);
}

void Walk(auto& io, auto& v, const RunValue*) {
  io.Raw(v.id);
  io.Unsigned(v.project.value);
  io.Text(v.name);
  io.Text(v.key);
  io.Byte(v.status);
  io.Byte(v.start_given);
  io.Signed(v.start_ns);
  io.Signed(v.end_ns);
  io.Signed(v.created_ns);
  io.Signed(v.updated_ns);
  io.Map(v.params);
  io.Map(v.tags);
  io.Trailing(v.fork);
}

void Walk(auto& io, auto& v, const WorkerValue*) {
  io.Text(v.worker.role);
  io.Unsigned(v.worker.rank);
  io.Unsigned(v.attempt);
  io.Unsigned(v.world_size);
  io.Signed(v.first_seen_ns);
  io.Signed(v.clock_offset_ns);
}

void Walk(auto& io, auto& v, const SchemaValue*) { io.Metrics(v.metrics); }

void Walk(auto& io, auto& v, const MetadataValue*) {
  io.Text(v.metric.unit);
  io.Text(v.metric.description);
  io.Byte(v.metric.goal);
  io.Byte(v.metric.reduction);
  io.Text(v.metric.role);
  io.Text(v.metric.step_metric);
}

void Walk(auto& io, auto& v, const AttemptValue*) {
  io.Optional(v.resume_step);
  io.Optional(v.first_step);
}

void Walk(auto& io, auto& v, const LaneValue*) {
  io.Unsigned(v.schema.value);
  io.Unsigned(v.next_row);
  io.Trailing(v.stepped_attempt);
}

void Walk(auto& io, auto& v, const RowCountValue*) {
  io.Unsigned(v.rows);
  io.Unsigned(v.values);
}

void Walk(auto& io, auto& v, const LostValue*) {
  io.Unsigned(v.worker.value);
  io.Unsigned(v.schema.value);
  io.Unsigned(v.first_row);
  io.Unsigned(v.end_row);
}

void Walk(auto& io, auto& v, const RequestValue*) {
  io.Unsigned(v.points);
  io.Signed(v.made_ns);
}

void Walk(auto& io, auto& v, const TombstoneValue*) { io.Signed(v.deleted_ns); }

template <typename V>
std::string Encode(const V& value) {
  Encoder encoder;
  Walk(encoder, value, &value);
  return encoder.Take();
}

template <typename V>
bool Decode(absl::string_view bytes, V* value) {
  Decoder decoder(bytes);
  Walk(decoder, *value, value);
  return decoder.done();
}

}  // namespace

std::string EncodeValue(const ProjectValue& v) { return Encode(v); }
std::string EncodeValue(const RunValue& v) { return Encode(v); }
std::string EncodeValue(const WorkerValue& v) { return Encode(v); }
std::string EncodeValue(const SchemaValue& v) { return Encode(v); }
std::string EncodeValue(const MetadataValue& v) { return Encode(v); }
std::string EncodeValue(const AttemptValue& v) { return Encode(v); }
std::string EncodeValue(const LaneValue& v) { return Encode(v); }
std::string EncodeValue(const RowCountValue& v) { return Encode(v); }
std::string EncodeValue(const LostValue& v) { return Encode(v); }
std::string EncodeValue(const RequestValue& v) { return Encode(v); }
std::string EncodeValue(const TombstoneValue& v) { return Encode(v); }

bool DecodeValue(absl::string_view b, ProjectValue* v) { return Decode(b, v); }
bool DecodeValue(absl::string_view b, RunValue* v) { return Decode(b, v); }
bool DecodeValue(absl::string_view b, WorkerValue* v) { return Decode(b, v); }
bool DecodeValue(absl::string_view b, SchemaValue* v) { return Decode(b, v); }
bool DecodeValue(absl::string_view b, MetadataValue* v) { return Decode(b, v); }
bool DecodeValue(absl::string_view b, AttemptValue* v) { return Decode(b, v); }
bool DecodeValue(absl::string_view b, LaneValue* v) { return Decode(b, v); }
bool DecodeValue(absl::string_view b, RowCountValue* v) { return Decode(b, v); }
bool DecodeValue(absl::string_view b, LostValue* v) { return Decode(b, v); }
bool DecodeValue(absl::string_view b, RequestValue* v) { return Decode(b, v); }
bool DecodeValue(absl::string_view b, TombstoneValue* v) {
  return Decode(b, v);
}

}  // namespace waterflow::storage
