// What a relay keeps on disk, in the families of one RocksDB database
// (docs/format.md, "A relay's directory").
//
//   meta     "relay_version"        u32: 1
//   catalog  's' stream             run 16 bytes, stream 16 bytes, role string,
//                                   rank varint
//            'm' stream, schema     metrics of a schema
//            'n' stream, schema     next_row varint: rows below are stored
//            'f' stream, schema     row varint: rows below were forwarded, and
//                                   are not in the log any more
//            'a' stream             mark: what was appended, and the opening
//                                   that the next rows belong to
//            't' stream             mark: what was trimmed, and the opening
//                                   that the first rows of the log belong to
//   log      stream, position u64   an entry: what one commit group brought of
//                                   one stream
//
// stream and schema are u32, all numbers of a key big-endian.
//
//   mark    := position, bytes, rows varints, flags u8, opening
//              flags & 1: the upstream has heard of the opening
//   opening := attempt varint, flags u8, resume_step zigzag [if flags & 1],
//              world_size varint, client_time_ns, received_ns zigzags
//   metrics := count varint, (name, unit, description strings, goal u8,
//              reduction u8, role, step_metric strings)*
//   entry   := record*
//   record  := kind u8, payload
//   batch   := 1, schema, first_row, rows, skip varints, received_ns zigzag,
//              body string (a Batch as it came; `skip` rows were known before)
//   refused := 2, schema, first_row, rows varints: they count as delivered
//   lost    := 3, schema, first_row, rows varints: the client has them no more
//   opening := 4, opening: the rows behind it belong to this one
//
// A lost or an opening is an entry of its own: both are told to the upstream in
// the Open of a new call.
#ifndef WATERFLOW_STORAGE_RELAY_RELAY_RECORD_H_
#define WATERFLOW_STORAGE_RELAY_RELAY_RECORD_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/model/ids.h"
#include "storage/model/records.h"

namespace waterflow::storage {

inline constexpr uint32_t kRelayVersion = 1;
inline constexpr absl::string_view kMetaRelayVersion = "relay_version";

// What an Open says besides whose it is.
struct RelayOpening {
  uint32_t attempt = 1;
  std::optional<int64_t> resume_step;
  uint32_t world_size = 0;
  int64_t client_time_ns = 0;  // 0: not said
  int64_t received_ns = 0;     // the relay's clock when it came

  // Whether the rows of both may go in one call. Clocks do not count.
  bool SameAttempt(const RelayOpening& other) const {
    return attempt == other.attempt && resume_step == other.resume_step &&
           world_size == other.world_size;
  }
};

// How far a stream has come, at one of its ends.
struct RelayMark {
  uint64_t position = 0;
  // Of all entries since the stream began: the difference of two marks is what
  // lies between them.
  uint64_t bytes = 0;
  uint64_t rows = 0;
  bool announced = false;
  RelayOpening opening;
};

struct RelayIdentity {
  Uuid run;
  Uuid stream;
  Worker worker;

  friend auto operator<=>(const RelayIdentity&, const RelayIdentity&) = default;
};

enum class RelayKey : char {
  kStream = 's',
  kMetrics = 'm',
  kNextRow = 'n',
  kForwardedRow = 'f',
  kAppended = 'a',
  kTrimmed = 't',
};
inline constexpr RelayKey kRelayKeys[] = {
    RelayKey::kStream,       RelayKey::kMetrics,  RelayKey::kNextRow,
    RelayKey::kForwardedRow, RelayKey::kAppended, RelayKey::kTrimmed};

std::string RelayCatalogKey(RelayKey kind, uint32_t stream);
std::string RelayCatalogKey(RelayKey kind, uint32_t stream, uint32_t schema);
std::string RelayLogKey(uint32_t stream, uint64_t position);

// What an entry counts for in RelayMark::bytes.
inline uint64_t RelayEntryBytes(size_t value_bytes) {
  constexpr uint64_t kKeyBytes = 12;
  return value_bytes + kKeyBytes;
}

std::string EncodeRelayIdentity(const RelayIdentity& identity);
std::string EncodeRelayMark(const RelayMark& mark);
std::string EncodeRelayMetrics(const std::vector<Metric>& metrics);
std::string EncodeRelayRow(uint64_t row);

// DATA_LOSS when the bytes are something else.
absl::StatusOr<RelayIdentity> DecodeRelayIdentity(absl::string_view bytes);
absl::StatusOr<RelayMark> DecodeRelayMark(absl::string_view bytes);
absl::StatusOr<std::vector<Metric>> DecodeRelayMetrics(absl::string_view bytes);
absl::StatusOr<uint64_t> DecodeRelayRow(absl::string_view bytes);

struct RelayBatchRecord {
  uint32_t schema = 0;
  uint64_t first_row = 0;
  uint32_t rows = 0;
  uint32_t skip = 0;
  int64_t received_ns = 0;
  absl::string_view body;
};

struct RelayRefusedRecord {
  uint32_t schema = 0;
  uint64_t first_row = 0;
  uint64_t rows = 0;
};

struct RelayLostRecord {
  uint32_t schema = 0;
  uint64_t first_row = 0;
  uint64_t rows = 0;
};

// Views into the entry's bytes.
using RelayRecord = std::variant<RelayBatchRecord, RelayRefusedRecord,
                                 RelayLostRecord, RelayOpening>;

void AppendRelayRecord(const RelayRecord& record, std::string* entry);
// Takes one record from the front of `entry`; DATA_LOSS when there is none.
absl::StatusOr<RelayRecord> TakeRelayRecord(absl::string_view* entry);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_RELAY_RELAY_RECORD_H_
