// The values of the catalog, each beside the key that it stands under. All are
// flat: varints, zigzag varints for times and steps, strings with a length.
//
//   project    name, created_ns, updated_ns, tags, then up to the last that is
//              not 0: retention_age_ns, max_rows_per_second varint,
//              max_disk_bytes varint
//   run        uuid 16 bytes, project varint, name, key, status u8,
//              start_given u8, start_ns, end_ns, created_ns, updated_ns,
//              params, tags, and of a fork: its parent's RunId varint,
//              attempt varint, step
//   worker     role, rank, attempt, world_size, first_seen_ns, clock_offset_ns
//   schema     metric ids: count, then varints in column order
//   metric     name (the whole value)
//   metadata   unit, description, goal u8, reduction u8, role, step_metric
//   attempt    given u8, resume_step, known u8, first_step (a number that is
//              not given or known is 0)
//   lane       SchemaId varint, next_row varint, stepped_attempt if not 0
//   row count  rows varint, values varint
//   lost       worker, SchemaId, first_row, end_row varints
//   request    points varint, made_ns
//   tombstone  deleted_ns
//   tags       := count varint, (key, value)*
#ifndef WATERFLOW_STORAGE_FORMAT_CATALOG_RECORD_H_
#define WATERFLOW_STORAGE_FORMAT_CATALOG_RECORD_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "storage/model/ids.h"
#include "storage/model/records.h"

namespace waterflow::storage {

struct ProjectValue {
  std::string name;
  int64_t created_ns = 0;
  int64_t updated_ns = 0;
  Tags tags;
  int64_t retention_age_ns = 0;
  uint64_t max_rows_per_second = 0;
  uint64_t max_disk_bytes = 0;
};

// What a run was forked from: the parent's rows of attempts up to `attempt`
// with a step below `step` are read as the fork's own.
struct ForkValue {
  RunId parent;
  uint32_t attempt = 0;
  int64_t step = 0;
};

struct RunValue {
  Uuid id;
  ProjectId project;
  std::string name;
  std::string key;
  RunStatus status = RunStatus::kRunning;
  bool start_given = false;  // by the creator; else workers' clocks decide
  int64_t start_ns = 0;      // 0: not known yet
  int64_t end_ns = 0;
  int64_t created_ns = 0;
  int64_t updated_ns = 0;
  Tags params;
  Tags tags;
  std::optional<ForkValue> fork = std::nullopt;
};

struct WorkerValue {
  Worker worker;
  uint32_t attempt = 0;
  uint32_t world_size = 0;
  int64_t first_seen_ns = 0;
  int64_t clock_offset_ns = 0;
};

struct SchemaValue {
  std::vector<MetricId> metrics;
};

// Everything of a Metric but its name.
struct MetadataValue {
  Metric metric;
};

struct AttemptValue {
  std::optional<int64_t> resume_step;
  // Smallest first step that a lane logged in it.
  std::optional<int64_t> first_step;
};

struct LaneValue {
  SchemaId schema;
  uint64_t next_row = 0;
  // The attempt of its last row that had a step; 0: none had. The first step
  // that it logged in this attempt is noted.
  uint32_t stepped_attempt = 0;
};

struct RowCountValue {
  uint64_t rows = 0;
  uint64_t values = 0;
};

struct LostValue {
  WorkerId worker;
  SchemaId schema;
  uint64_t first_row = 0;
  uint64_t end_row = 0;
};

struct RequestValue {
  uint64_t points = 0;
  int64_t made_ns = 0;
};

struct TombstoneValue {
  int64_t deleted_ns = 0;
};

std::string EncodeValue(const ProjectValue& value);
std::string EncodeValue(const RunValue& value);
std::string EncodeValue(const WorkerValue& value);
std::string EncodeValue(const SchemaValue& value);
std::string EncodeValue(const MetadataValue& value);
std::string EncodeValue(const AttemptValue& value);
std::string EncodeValue(const LaneValue& value);
std::string EncodeValue(const RowCountValue& value);
std::string EncodeValue(const LostValue& value);
std::string EncodeValue(const RequestValue& value);
std::string EncodeValue(const TombstoneValue& value);

// False when the bytes are no such value.
bool DecodeValue(absl::string_view bytes, ProjectValue* value);
bool DecodeValue(absl::string_view bytes, RunValue* value);
bool DecodeValue(absl::string_view bytes, WorkerValue* value);
bool DecodeValue(absl::string_view bytes, SchemaValue* value);
bool DecodeValue(absl::string_view bytes, MetadataValue* value);
bool DecodeValue(absl::string_view bytes, AttemptValue* value);
bool DecodeValue(absl::string_view bytes, LaneValue* value);
bool DecodeValue(absl::string_view bytes, RowCountValue* value);
bool DecodeValue(absl::string_view bytes, LostValue* value);
bool DecodeValue(absl::string_view bytes, RequestValue* value);
bool DecodeValue(absl::string_view bytes, TombstoneValue* value);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_FORMAT_CATALOG_RECORD_H_
