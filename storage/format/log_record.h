// What one commit group holds in the log, in commit order:
//
//   group   := record*
//   record  := length varint (always 4 bytes), kind u8, payload (length counts
//              kind + payload)
//   batch   := 1, run, worker, schema, schema number varints, stream 16 bytes,
//              attempt, first_row, rows, skip varints, received_ns fixed64,
//              body (a Batch as it came; the rest)
//   void    := 2, run, worker, schema, schema number varints, stream 16 bytes,
//              first_row, rows varints
//   catalog := 3, key string, value (the rest)
//   erase   := 4, key (the rest)
//   delete  := 5, run varint
//
// `schema` is the run's SchemaId, `schema number` the stream's own. `skip` rows
// at the front of the body were stored before and do not count. RocksDB's WAL
// and blocks are checksummed, so a record carries no checksum of its own.
#ifndef WATERFLOW_STORAGE_FORMAT_LOG_RECORD_H_
#define WATERFLOW_STORAGE_FORMAT_LOG_RECORD_H_

#include <cstdint>
#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/model/ids.h"

namespace waterflow::storage {

// Which lane rows belong to: one schema of one stream of one worker.
struct LaneName {
  RunId run;
  WorkerId worker;
  Uuid stream;
  uint32_t number = 0;  // the stream's own number for the schema

  friend auto operator<=>(const LaneName&, const LaneName&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const LaneName& l) {
    return H::combine(std::move(h), l.run, l.worker, l.stream, l.number);
  }
};

struct BatchRecord {
  LaneName lane;
  SchemaId schema;
  uint32_t attempt = 1;
  uint64_t first_row = 0;
  uint32_t rows = 0;
  uint32_t skip = 0;
  int64_t received_ns = 0;
  absl::string_view body;
};

struct VoidRecord {
  LaneName lane;
  SchemaId schema;
  uint64_t first_row = 0;
  uint64_t rows = 0;
};

struct CatalogRecord {
  absl::string_view key;
  absl::string_view value;
};

struct EraseRecord {
  absl::string_view key;
};

struct DeleteRecord {
  RunId run;
};

// Views into the group's bytes.
using LogRecord = std::variant<BatchRecord, VoidRecord, CatalogRecord,
                               EraseRecord, DeleteRecord>;

// Appends all of a record but a batch's body, which the caller lays behind it
// (so that it is copied once, into RocksDB's own buffer).
void AppendRecordHead(const LogRecord& record, std::string* out);
// Appends all of it.
void AppendRecord(const LogRecord& record, std::string* out);

// Takes one record from the front of `group`; DATA_LOSS when there is none.
absl::StatusOr<LogRecord> TakeRecord(absl::string_view* group);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_FORMAT_LOG_RECORD_H_
