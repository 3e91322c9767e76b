// A lane: the rows of one schema of one stream, and how far they have come.
#ifndef WATERFLOW_STORAGE_INGEST_LANE_H_
#define WATERFLOW_STORAGE_INGEST_LANE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "storage/catalog/run_state.h"
#include "storage/format/log_record.h"
#include "storage/ingest/head.h"

namespace waterflow::storage {

// What is stored of one (run, schema, worker).
struct RowCount {
  uint64_t rows = 0;  // also the row index that comes next
  uint64_t values = 0;
  bool touched = false;  // since the last seal began
};

// What is stored of a run, and when it was last heard of.
struct RunActivity {
  uint64_t rows = 0;
  uint64_t values = 0;
  int64_t last_seen_ns = 0;
  std::vector<int64_t> worker_last_seen_ns;  // by WorkerId
  // Rows came since LiveState::TakeRunsWithNewRows() named the run last.
  bool has_new_rows = false;

  void Seen(WorkerId worker, int64_t now_ns) {
    if (worker_last_seen_ns.size() <= worker.value) {
      worker_last_seen_ns.resize(worker.value + 1);
    }
    worker_last_seen_ns[worker.value] = now_ns;
    last_seen_ns = now_ns;
  }
};

// Guarded by LiveState's lock, but for assigned_row, which is the committer's.
struct Lane {
  LaneName name;
  std::shared_ptr<const SchemaState> schema;
  // All rows below are durable.
  uint64_t next_row = 0;
  // All rows below are in a group that is being committed.
  uint64_t assigned_row = 0;
  uint32_t stepped_attempt = 0;  // see LaneValue
  bool touched = false;          // since the last seal began
  int sessions = 0;              // that hold it open
  // Where its rows go; valid while `epoch` is that of the open heads.
  Head* head = nullptr;
  uint64_t epoch = 0;
  RowCount* count = nullptr;
  RunActivity* activity = nullptr;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_INGEST_LANE_H_
