// One session of a stream: checks each batch, drops rows that are stored
// already, refuses what can never be accepted, and queues the rest for the
// committer. No work per value but the checks of int64 columns.
#ifndef WATERFLOW_STORAGE_INGEST_SESSION_H_
#define WATERFLOW_STORAGE_INGEST_SESSION_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "storage/catalog/run_state.h"
#include "storage/format/batch.h"
#include "storage/ingest/committer.h"
#include "storage/ingest/live_state.h"
#include "storage/ingest/quota.h"
#include "storage/ingest_backend.h"

namespace waterflow::storage {

// What a session asks of the catalog; the engine locks and logs.
class SessionCatalog {
 public:
  virtual ~SessionCatalog() = default;
  // The metrics must have passed CheckSchema. NOT_FOUND: the run is gone.
  virtual absl::StatusOr<std::shared_ptr<Lane>> DeclareLane(
      const LaneName& name, const std::vector<Metric>& metrics,
      std::optional<uint64_t> held_row) = 0;
  virtual void NoteFirstStep(RunId run, uint32_t attempt, int64_t step) = 0;
  // RESOURCE_EXHAUSTED when the run's project takes more of the disk than it
  // may.
  virtual absl::Status CheckRunDisk(RunId run) = 0;
  virtual void SessionClosed(const LaneName& stream,
                             const std::shared_ptr<SessionState>& state) = 0;
};

struct IngestCounters {
  std::atomic<uint64_t> duplicate_rows{0};
  std::atomic<uint64_t> rejected_batches{0};
};

class Session : public StreamSession {
 public:
  // `name` says run, worker and stream; its number is not used.
  Session(SessionCatalog* catalog, LiveState* state, Committer* committer,
          IngestCounters* counters, std::shared_ptr<SessionState> shared,
          LaneName name, StreamOptions options, std::vector<LanePosition> known,
          SessionQuota quota);
  ~Session() override;

  const std::vector<LanePosition>& known_lanes() const override {
    return known_;
  }
  absl::Status DeclareSchema(uint32_t schema,
                             std::vector<Metric> metrics) override;
  std::optional<Rejection> Append(BatchBody body) override;
  void Heartbeat(int64_t client_time_ns) override;
  absl::Duration Throttled() const override {
    return absl::Nanoseconds(quota_.Wait());
  }

 private:
  struct OpenLane {
    std::shared_ptr<Lane> lane;
    // All rows below were queued by this session or were durable before it.
    uint64_t next_row = 0;
    bool step_noted = false;
  };

  Rejection Refuse(absl::Status status, const BatchView& batch, OpenLane* lane);
  Pending MakePending(Pending::Kind kind, const OpenLane& lane) const;

  SessionCatalog* const catalog_;
  LiveState* const state_;
  Committer* const committer_;
  IngestCounters* const counters_;
  const std::shared_ptr<SessionState> shared_;
  const LaneName name_;
  const StreamOptions options_;
  const std::vector<LanePosition> known_;
  const SessionQuota quota_;
  absl::flat_hash_map<uint32_t, OpenLane> lanes_;
  BatchView view_;  // of the batch at hand
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_INGEST_SESSION_H_
